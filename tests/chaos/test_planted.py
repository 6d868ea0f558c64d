"""Proof that the verifier of the chaos run can fail, and that it does not without a reason."""

from pathlib import Path

import pytest

from tests.chaos.run import Plan, run


def one_crash(bug: str, guarantee: str = "exactly_once") -> Plan:
    """A plan with a single worker, which kills itself half way through one commit."""
    return Plan(
        seed=1,
        seconds=30,
        rate=100.0,
        workers=1,
        partitions=2,
        guarantee=guarantee,
        module="tests.chaos.planted",
        env={"CHAOS_BUG": bug, "CHAOS_CRASH_AT": "20"},
        makes_faults=False,
    )


@pytest.mark.parametrize("bug", ["state first", "positions first"])
def test_the_verifier_finds_a_planted_bug(bug: str, tmp_path: Path) -> None:
    report = run(one_crash(bug), tmp_path)
    assert report.ended == ["worker-0 ended with -9"], report
    assert report.findings, report


def test_the_verifier_finds_what_is_wrong_with_outcomes_and_the_holdout(tmp_path: Path) -> None:
    report = run(one_crash("drawn anew, verdicts twice"), tmp_path)
    assert report.findings.wrong.keys() >= {"let through by its hash", "label learned once"}, report


def test_the_crash_alone_does_no_harm(tmp_path: Path) -> None:
    report = run(one_crash("none"), tmp_path)
    assert report.ended == ["worker-0 ended with -9"], report
    assert not report.findings, report


def test_at_least_once_repeats_but_loses_nothing(tmp_path: Path) -> None:
    report = run(one_crash("none, early crash", "at_least_once"), tmp_path)
    assert report.ended == ["worker-0 ended with -9"], report
    assert not report.findings, report
    assert report.findings.checked["duplicates"] > 0, report
