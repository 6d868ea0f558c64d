"""What is known of a charge by the end of a history, case by case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from agents.evaluation.trial.labels import LABELS, LabelEvents
from streams.events.rows import CHARGE
from tests.agents.stages.stages import DAY, START, Message, charge, decode, dispute, outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

HORIZON = 10 * DAY
LATE = START + 40 * DAY


def label(*about: Message, created: float = START, end: float = LATE) -> str:
    """Return what is known of one charge, of which some events tell, at the end of a history."""
    [found] = labels([charge("c1", created), *about, charge("last", end, card="other")])[:1]
    return found


def labels(events: Sequence[Message]) -> list[str]:
    rows = decode(events).rows
    known = LabelEvents()
    for start in range(0, len(rows), 2):  # in parts
        known.add(rows[start : start + 2])
    own = rows[rows["kind"] == CHARGE]
    found = known.labels(own["charge"], own["created"], HORIZON)
    return [LABELS[code] for code in found.tolist()]


def told(said: str, days: float = 1.0, **fields: object) -> Message:
    return outcome("c1", START + days * DAY, said, **fields)


def test_silence_past_the_horizon_is_genuine() -> None:
    assert label() == "genuine"
    assert label(end=START + HORIZON) == "genuine"
    assert label(end=START + HORIZON - 1.0) == "young"


def test_any_fraud_dispute_makes_a_fraud() -> None:
    assert label(dispute("c1", START + DAY)) == "fraud"
    assert label(dispute("c1", START + 39 * DAY)) == "fraud"
    assert label(dispute("c1", START + DAY), end=START + 2 * DAY) == "fraud"
    assert label(dispute("c1", START + DAY, reason="product_not_received")) == "genuine"
    assert label(dispute("c1", START + DAY, card="card_2")) == "genuine"
    assert label(told("declined"), dispute("c1", START + 2 * DAY)) == "fraud"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("authorized", "genuine"),
        ("challenge_passed", "genuine"),
        ("review_genuine", "genuine"),
        ("dispute_won", "genuine"),
        ("declined", "silenced"),
        ("blocked", "silenced"),
        ("canceled", "silenced"),
        ("challenge_failed", "silenced"),
        ("challenge_abandoned", "silenced"),
        ("review_fraud", "silenced"),
        ("refunded", "silenced"),
    ],
)
def test_outcomes_tell_whether_silence_says_anything(said: str, expected: str) -> None:
    assert label(told(said)) == expected
    young = "young" if expected == "genuine" else expected
    assert label(told(said), end=START + 2 * DAY) == young


def test_another_answer_counts_as_what_it_is() -> None:
    assert label(told("answered", action="allow")) == "genuine"
    for action in ("block", "review", "challenge"):
        assert label(told("answered", action=action)) == "silenced"


def test_of_outcomes_that_contradict_each_other_the_last_counts() -> None:
    assert label(told("declined", 1), told("authorized", 2)) == "genuine"
    assert label(told("authorized", 1), told("declined", 2)) == "silenced"
    assert label(told("authorized", 2), told("declined", 1)) == "genuine"
    assert label(told("refunded", 1), told("authorized", 2)) == "silenced"


def test_charges_with_one_id_and_many_charges() -> None:
    events = [charge(f"c{n}", START + n, card=f"k{n % 3}") for n in range(50)]
    events += [dispute(f"c{n}", START + DAY, card=f"k{n % 3}") for n in range(0, 50, 7)]
    events += [outcome(f"c{n}", START + DAY, "declined", card=f"k{n % 3}") for n in range(0, 50, 5)]
    events.append(charge("last", LATE))
    expected = [
        "fraud" if n % 7 == 0 else "silenced" if n % 5 == 0 else "genuine" for n in range(50)
    ]
    assert labels(events) == [*expected, "young"]


def test_no_events() -> None:
    none = np.empty((0, 2), np.uint64)
    assert LabelEvents().labels(none, np.empty(0), HORIZON).tolist() == []
