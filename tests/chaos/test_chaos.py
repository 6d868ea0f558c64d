"""The short form of the chaos run, and proof that its verifier can fail."""

import logging
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local_kafka import LocalKafka
from tests.chaos.run import Plan, Run

logger = logging.getLogger(__name__)

RATE = 100.0


@pytest.fixture
def kafka() -> Iterator[LocalKafka]:
    with LocalKafka() as local:
        yield local


def one_crash(bug: str, guarantee: str = "exactly_once") -> Plan:
    """A plan with a single worker, which kills itself half way through one commit."""
    return Plan(
        seed=1,
        seconds=30,
        rate=RATE,
        workers=1,
        partitions=2,
        guarantee=guarantee,
        module="tests.chaos.planted",
        env={"CHAOS_BUG": bug, "CHAOS_CRASH_AT": "20"},
        makes_faults=False,
    )


@pytest.mark.parametrize("bug", ["state first", "positions first"])
def test_the_verifier_finds_a_planted_bug(bug: str, kafka: LocalKafka, tmp_path: Path) -> None:
    report = Run(one_crash(bug), kafka, tmp_path).carry_out()
    assert report.ended == ["worker-0 ended with -9"], report
    assert report.findings, report


def test_the_crash_alone_does_no_harm(kafka: LocalKafka, tmp_path: Path) -> None:
    report = Run(one_crash("none"), kafka, tmp_path).carry_out()
    assert report.ended == ["worker-0 ended with -9"], report
    assert not report.findings, report


def test_at_least_once_repeats_but_loses_nothing(kafka: LocalKafka, tmp_path: Path) -> None:
    report = Run(one_crash("none, early crash", "at_least_once"), kafka, tmp_path).carry_out()
    assert report.ended == ["worker-0 ended with -9"], report
    assert not report.findings, report
    assert report.findings.checked["duplicates"] > 0, report


@pytest.mark.last
@pytest.mark.timeout(900)
def test_everything_counts_once_through_faults(kafka: LocalKafka, tmp_path: Path) -> None:
    plan = Plan(seed=secrets.randbelow(1 << 32), seconds=60, rate=RATE)
    logger.warning("seed %d", plan.seed)
    report = Run(plan, kafka, tmp_path).carry_out()
    logger.warning("%s", report)
    assert not report.findings, report
