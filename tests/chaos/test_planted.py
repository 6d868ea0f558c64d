"""Proof that the verifier of the chaos run can fail, and that it does not without a reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local_kafka import LocalKafka
from tests.chaos.run import Plan, Report, Run
from tests.chaos.traffic import SHORT_RUN


@pytest.fixture(scope="module")
def kafka() -> Iterator[LocalKafka]:
    """Return a broker, which no run restarts."""
    with LocalKafka() as local:
        yield local


def one_crash(bug: str, guarantee: str = "exactly_once") -> Plan:
    """A plan with a single worker, which kills itself half way through one commit."""
    return Plan(
        seed=1,
        seconds=12,
        rate=100.0,
        workers=1,
        partitions=2,
        guarantee=guarantee,
        module="tests.chaos.planted",
        env=SHORT_RUN | {"CHAOS_BUG": bug, "CHAOS_CRASH_AT": "20"},
        makes_faults=False,
        prefix=f"{bug.replace(' ', '-').replace(',', '')}.",
    )


def run(plan: Plan, kafka: LocalKafka, directory: Path) -> Report:
    return Run(plan, kafka, directory).carry_out()


@pytest.mark.parametrize("bug", ["state first", "positions first"])
def test_the_verifier_finds_a_planted_bug(bug: str, kafka: LocalKafka, tmp_path: Path) -> None:
    report = run(one_crash(bug), kafka, tmp_path)
    assert report.ended == ["worker-0 ended with -9"], report
    assert report.findings, report


def test_the_verifier_finds_what_is_wrong_with_outcomes_and_the_holdout(
    kafka: LocalKafka, tmp_path: Path
) -> None:
    report = run(one_crash("drawn anew, verdicts twice"), kafka, tmp_path)
    assert report.findings.wrong.keys() >= {"let through by its hash", "label learned once"}, report


def test_the_crash_alone_does_no_harm(kafka: LocalKafka, tmp_path: Path) -> None:
    report = run(one_crash("none"), kafka, tmp_path)
    assert report.ended == ["worker-0 ended with -9"], report
    assert report.is_good, report


def test_at_least_once_repeats_but_loses_nothing(kafka: LocalKafka, tmp_path: Path) -> None:
    report = run(one_crash("none, early crash", "at_least_once"), kafka, tmp_path)
    assert report.ended == ["worker-0 ended with -9"], report
    assert report.is_good, report
    assert report.findings.checked["duplicates"] > 0, report
