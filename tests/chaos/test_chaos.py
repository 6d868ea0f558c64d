"""The short form of the chaos run."""

import logging
import secrets
from pathlib import Path

import pytest

from tests.chaos.run import Plan, run
from tests.chaos.traffic import SHORT_RUN

logger = logging.getLogger(__name__)


@pytest.mark.timeout(900)
def test_everything_counts_once_through_faults(tmp_path: Path) -> None:
    plan = Plan(seed=secrets.randbelow(1 << 32), seconds=60, rate=100.0, env=SHORT_RUN)
    logger.warning("seed %d", plan.seed)
    report = run(plan, tmp_path)
    logger.warning("%s", report)
    assert report.is_good, report
