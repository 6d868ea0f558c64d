"""The short form of the upgrades: every input counts once, through another version as well.

The long form, `python -m tests.upgrade`, also begins with the version before the layouts, kills
workers, loses their state and goes without copies.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

import pytest

from tests.upgrade.rolling import Rolling, rolling

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)


def some_seed() -> int:
    seed = secrets.randbelow(1 << 32)
    logger.warning("seed %d", seed)
    return seed


@pytest.mark.timeout(900)
def test_one_by_one_to_a_later_version_and_back(later: Path, tmp_path: Path) -> None:
    plan = Rolling(some_seed(), standbys=1)
    findings = rolling(plan, later, tmp_path)
    assert not findings, f"{plan}\n{findings}"
