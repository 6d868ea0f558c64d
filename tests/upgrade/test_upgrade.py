"""The short form of the upgrades: every input counts once, through other versions as well.

The long form, `python -m tests.upgrade`, kills workers, loses their state and goes without copies.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

import pytest

from tests.upgrade.rolling import Rolling, rolling
from tests.upgrade.stop_start import StopStart, stop_start

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)


def some_seed() -> int:
    seed = secrets.randbelow(1 << 32)
    logger.warning("seed %d", seed)
    return seed


@pytest.mark.timeout(900)
def test_all_at_once_from_the_version_before(before: Path, tmp_path: Path) -> None:
    plan = StopStart(some_seed())
    findings = stop_start(plan, before, tmp_path)
    assert not findings, f"{plan}\n{findings}"


@pytest.mark.timeout(900)
def test_one_by_one_to_a_later_version_and_back(later: Path, tmp_path: Path) -> None:
    plan = Rolling(some_seed(), standbys=1)
    findings = rolling(plan, later, tmp_path)
    assert not findings, f"{plan}\n{findings}"
