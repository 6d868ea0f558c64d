"""Disputes and their charges, in every order they can come, and silence."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from streams.features.entities import FEATURE_NAMES
from streams.labels.join import CONTROLS
from streams.state.tables import PENDING, TIMERS, WAITING
from tests.agents.stages.stages import DAY, HOUR, START, Message, Run, charge, dispute

RULES = {"label_horizon_days": 10.0, "negative_rate": 1.0, "orphan_wait_hours": 24.0,
         "actions": "advisory"}  # fmt: skip


def labels(run: Run) -> list[tuple[float, int]]:
    """Return when each example's charge was made, in days, and its label."""
    learned = run.outputs.learned()
    days = ((learned["charged_at"] - START) / DAY).tolist()
    return list(zip(days, learned["label"].tolist(), strict=True))


def later(days: float, name: str = "clock") -> Message:
    """Make a charge at another merchant that moves stream time."""
    return charge(f"{name}_{days}", START + days * DAY, card="card_clock", merchant="clock")


def feature(run: Run, row: int, name: str) -> float:
    vector = np.frombuffer(run.outputs.vectors[row], np.float32)
    return float(vector[FEATURE_NAMES.index(name)])


@pytest.mark.parametrize("cuts", [(), (1,), (2,), (1, 2)])
def test_a_fraud_dispute_makes_a_positive_as_soon_as_it_is_there(cuts: tuple[int, ...]) -> None:
    run = Run(**RULES)
    messages = [charge("a", START), charge("b", START), dispute("a", START + HOUR)]
    for start, stop in zip((0, *cuts), (*cuts, 3), strict=True):
        run.feed(*messages[start:stop])
    assert labels(run) == []
    run.pause()
    (example,) = run.outputs.learned()
    assert (example["label"], example["weight"], example["stands_for"]) == (1, 1.0, 1.0)
    assert (example["charged_at"], example["labelled_at"]) == (START, START)
    assert example["vector"].tobytes() == run.outputs.vectors[0]
    run.feed(later(20.0))
    assert labels(run) == [(0.0, 1), (0.0, 0)]
    assert run.outputs.learned()[1]["vector"].tobytes() == run.outputs.vectors[1]


@pytest.mark.parametrize("cut", [1, 2])
@pytest.mark.parametrize("restores", [False, True])
def test_a_late_charge_finds_the_disputes_that_wait_for_it(cut: int, restores: bool) -> None:
    run = Run(**RULES)
    messages = [
        dispute("a", START + HOUR),
        dispute("a", START + HOUR, id="other", reason="general"),
        charge("a", START),
    ]
    run.feed(*messages[:cut])
    run.commit()
    if restores:
        run.restore()
    run.feed(*messages[cut:])
    run.pause()
    assert labels(run) == [(0.0, 1)]
    assert run.outputs.learned()["vector"].tobytes() == run.outputs.vectors[0]
    assert not run.state(WAITING)
    run.feed(later(20.0))
    assert run.outputs.rejected == []
    assert labels(run) == [(0.0, 1)]


@pytest.mark.parametrize("restores", [False, True])
def test_a_dispute_of_an_unknown_charge_waits_and_is_rejected_as_it_came(restores: bool) -> None:
    run = Run(**RULES)
    lonely = dispute("nowhere", START, note="ünknown  field")
    run.feed(charge("a", START), lonely)
    run.feed(charge("b", START + 24 * HOUR))
    assert run.outputs.rejected == []
    run.commit()
    if restores:
        run.restore()
    run.feed(charge("c", START + 24 * HOUR + 1.0))
    (rejected,) = run.outputs.rejected
    assert (rejected.key, rejected.value) == (lonely.key, lonely.value)
    assert rejected.reason == "unknown_charge"
    assert dict(rejected.headers) == {
        "error": b"charge: no such charge of this card has come in 180 days "
        b"(dispute_retention_days), nor up to 24 hours after it was made (orphan_wait_hours)",
        "topic": b"disputes",
        "partition": b"0",
        "offset": b"1",
    }
    run.feed(charge("nowhere", START))
    run.feed(later(3.0))
    assert len(run.outputs.rejected) == 1
    assert labels(run) == []


def test_each_of_several_disputes_of_an_unknown_charge_is_rejected_in_its_time() -> None:
    run = Run(**RULES)
    first, again, other = (
        dispute("nowhere", START),
        dispute("nowhere", START + HOUR, id="again"),
        dispute("nowhere", START + 2 * HOUR, id="other", reason="general"),
    )
    run.feed(first, again, other)
    run.feed(charge("b", START + 24 * HOUR + 1.0))
    assert [rejected.value for rejected in run.outputs.rejected] == [first.value]
    run.commit()
    run.restore()
    run.feed(charge("c", START + 26 * HOUR + 1.0))
    assert [rejected.value for rejected in run.outputs.rejected] == [
        first.value, again.value, other.value,
    ]  # fmt: skip


@pytest.mark.parametrize("cuts", [(), (1,), (2,), (3,), (1, 2, 3)])
def test_a_charge_that_comes_when_the_wait_is_over_is_too_late(cuts: tuple[int, ...]) -> None:
    run = Run(**RULES)
    messages = [
        dispute("a", START),
        charge("b", START + 24 * HOUR + 1.0),
        charge("a", START - HOUR),
        charge("c", START + 30 * HOUR),
    ]
    for start, stop in zip((0, *cuts), (*cuts, 4), strict=True):
        run.feed(*messages[start:stop])
    assert [rejected.value for rejected in run.outputs.rejected] == [messages[0].value]
    assert labels(run) == []


def test_a_dispute_that_comes_late_itself_still_waits_its_time() -> None:
    run = Run(**RULES)
    run.feed(later(5.0))
    run.feed(dispute("a", START + HOUR))
    run.feed(later(5.9))
    run.feed(charge("a", START))
    assert labels(run) == [(0.0, 1)]
    assert run.outputs.rejected == []


@pytest.mark.parametrize("order", permutations(["fraudulent", "general", "duplicate"], 3))
def test_other_reasons_count_but_are_no_label(order: tuple[str, ...]) -> None:
    run = Run(**RULES)
    run.feed(*(charge(f"c{i}", START + i) for i in range(15)))
    for hour, reason in enumerate(order):
        run.feed(dispute("c0", START + HOUR + hour, id=reason, reason=reason))
    run.feed(charge("after", START + 2 * HOUR))
    assert labels(run) == [(0.0, 1)]
    # Smoothed: 0.4% of five charges more than there are.
    share = (1 + 0.004 * 5) / (16 + 5)
    assert feature(run, 15, "merchant_dispute_share_30d") == pytest.approx(share)
    assert feature(run, 15, "merchant_other_dispute_share_90d") == pytest.approx(share)
    assert feature(run, 15, "card_fraud_disputes") == 1.0
    assert feature(run, 15, "card_other_disputes") == 1.0


def test_a_charge_disputed_again_and_again_counts_and_is_learned_once() -> None:
    run = Run(**RULES)
    run.feed(*(charge(f"c{i}", START + i) for i in range(15)))
    for hour in range(5):
        run.feed(dispute("c0", START + HOUR + hour, id=f"number {hour}"))
        run.commit()
        run.restart()
    run.feed(dispute("c0", START + 9 * HOUR), dispute("c0", START + 9 * HOUR))
    run.feed(charge("after", START + 10 * HOUR))
    assert labels(run) == [(0.0, 1)]
    assert feature(run, 15, "merchant_dispute_share_7d") == pytest.approx(1.02 / 21)
    assert feature(run, 15, "card_fraud_disputes") == 1.0


def test_history_counts_a_dispute_from_its_own_time_on() -> None:
    run = Run(**RULES)
    run.feed(*(charge(f"c{i}", START + i) for i in range(9)))
    run.feed(dispute("c0", START + 3 * DAY))
    run.feed(charge("late", START + 1 * DAY, card="card_2"))
    run.feed(charge("now", START + 3.5 * DAY, card="card_2"))
    shares = [feature(run, row, "merchant_dispute_share_30d") for row in (9, 10)]
    assert shares == pytest.approx([0.02 / 15, 1.02 / 16])


@pytest.mark.parametrize(("days", "expected"), [(9.99, [1]), (10.0, [1]), (11.01, [0, 1])])
@pytest.mark.parametrize("is_cut", [False, True])
def test_after_the_horizon_a_dispute_is_still_a_positive(
    days: float, expected: list[int], is_cut: bool
) -> None:
    run = Run(**RULES)
    messages = [charge("a", START), dispute("a", START + days * DAY), later(11.0), later(12.0)]
    for batch in [[each] for each in messages] if is_cut else [messages]:
        run.feed(*batch)
    assert [label for day, label in labels(run) if day == 0.0] == expected
    assert len({example["vector"].tobytes() for example in run.outputs.learned()}) == 1


def test_silence_is_learned_once_when_stream_time_has_passed_the_horizon() -> None:
    run = Run(**RULES)
    run.feed(charge("a", START), charge("b", START + 60.0), charge("c", START + 30.0))
    run.feed(later(10.0))
    assert labels(run) == []
    run.feed(charge("tick", START + 10 * DAY + 29.0))
    assert labels(run) == [(0.0, 0)]
    run.commit()
    for _ in range(3):
        run.restart()
        run.feed(charge("tick", START + 10 * DAY + 29.0))
    run.feed(charge("tock", START + 10 * DAY + 61.0))
    learned = run.outputs.learned()
    assert learned["charged_at"].tolist() == [START, START + 30.0, START + 60.0]
    assert learned["stands_for"].tolist() == [1.0] * 3
    assert [row["vector"].tobytes() for row in learned] == [
        run.outputs.vectors[row] for row in (0, 2, 1)
    ]
    run.feed(later(30.0))
    assert len(run.state(TIMERS)) == 1  # that last charge


def test_a_clock_that_runs_ahead_costs_no_label() -> None:
    """An hour, the most that is believed: silence is taken for good that much too early."""
    run = Run(**RULES)
    horizon = START + 10 * DAY
    run.feed(charge("a", START), charge("b", START + 600.0))
    run.feed(charge("ahead", horizon + 0.5 * HOUR, card="card_2"))
    run.feed(charge("c", horizon - 0.4 * HOUR), dispute("a", horizon - 0.3 * HOUR))
    assert [(day, label) for day, label in labels(run) if day == 0.0] == [(0.0, 0), (0.0, 1)]
    assert feature(run, 3, "card_charges_before") == 2.0
    run.feed(later(30.0))
    days = [day for day, label in labels(run) if label == 0]
    assert days == sorted(days)
    assert len(days) == 4


def test_a_charge_that_comes_after_its_horizon_is_learned_when_time_moves_on() -> None:
    run = Run(**RULES)
    run.feed(later(20.0))
    run.feed(charge("a", START))
    assert labels(run) == []
    run.feed(charge("tick", START + 20 * DAY + 1.0))
    assert labels(run) == [(0.0, 0)]


def test_a_duplicate_charge_is_learned_once() -> None:
    run = Run(**RULES)
    for _ in range(3):
        run.feed(charge("a", START), charge("a", START))
        run.commit()
        run.restart()
    run.feed(later(11.0))
    assert labels(run) == [(0.0, 0)]


def test_a_dispute_beyond_the_retention_finds_nothing() -> None:
    """Whether the charge was forgotten by a commit in between or not."""
    for commits, is_late in product([False, True], [False, True]):
        run = Run(**RULES, dispute_retention_days=20.0)
        run.feed(charge("a", START), charge("b", START + 2 * DAY))
        run.feed(later(21.9))
        if commits:
            run.commit()
        created = START + (1.0 if is_late else 21.9) * DAY
        run.feed(dispute("a", created), dispute("b", created))
        assert labels(run)[-1] == (2.0, 1)
        assert [day for day, label in labels(run) if label] == [2.0]
        run.feed(later(23.0))
        assert len(run.outputs.rejected) == 1


def test_a_dispute_names_its_charge_by_card_and_id() -> None:
    run = Run(**RULES)
    run.feed(charge("a", START), charge("a", START + 60.0, card="card_2"))
    run.feed(dispute("a", START + HOUR, card="card_2"))
    run.pause()
    assert run.outputs.learned()["charged_at"].tolist() == [START + 60.0]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_fraud_is_compared_with_charges_of_its_time(size: int) -> None:
    run = Run(**RULES)
    messages = [charge(f"c{i}", START + i * HOUR, card=f"card_{i}") for i in range(100)]
    messages += [dispute("c50", START + 100 * HOUR, card="card_50")]
    messages += [charge("tick", START + 100 * HOUR, card="card_1")]
    messages += [charge(f"after_{i}", START + 50 * HOUR + i, card=f"card_{i}") for i in range(50)]
    messages += [dispute(f"c{i}", START + 101 * HOUR + i, card=f"card_{i}") for i in range(30, 70)]
    messages += [charge(f"tick_{i}", START + 101 * HOUR + i, card="card_1") for i in range(30, 71)]
    for start in range(0, len(messages), size):
        run.feed(*messages[start : start + size])
    frauds = run.outputs.learned()
    assert len(frauds) == 40
    controls = run.outputs.controls()
    assert set(controls["label"].tolist()) == {0}
    assert set(controls["weight"].tolist()) == {1.0}
    by_fraud = {
        fraud["labelled_at"]: controls[controls["labelled_at"] == fraud["labelled_at"]]
        for fraud in frauds
    }
    scored = dict(zip(run.outputs.vectors, run.outputs.events(), strict=True))
    names = {
        time: {scored[row["vector"].tobytes()]["charge"] for row in rows}
        for time, rows in by_fraud.items()
    }
    disputed = set[str]()
    for fraud in frauds:
        time, charged_at = fraud["labelled_at"], fraud["charged_at"]
        disputed.add(scored[fraud["vector"].tobytes()]["charge"])
        assert 0 < len(by_fraud[time]) <= CONTROLS
        assert (np.abs(by_fraud[time]["charged_at"] - charged_at) < 2 * DAY).all()
        assert len(names[time]) == len(by_fraud[time])
        assert not names[time] & disputed
    # What came after the first dispute was not there to compare it with; later it was.
    assert not any(name.startswith("after") for name in names.pop(START + 100 * HOUR))
    assert any(name.startswith("after") for name in set[str]().union(*names.values()))


@pytest.mark.parametrize("rate", [0.05, 0.5])
def test_a_sample_of_the_good_charges_stands_for_all(rate: float) -> None:
    count = 4000
    runs = []
    for size in (37, count):
        run = Run(label_horizon_days=10.0, negative_rate=rate, actions="advisory")
        messages = [
            charge(f"c{i}", START + i, card=f"card_{i % 50}", merchant=f"shop_{i % 7}")
            for i in range(count)
        ]
        for start in range(0, count, size):
            run.feed(*messages[start : start + size])
        run.feed(later(12.0))
        runs.append(run)
    learned = runs[0].outputs.learned()
    assert runs[1].outputs.examples == runs[0].outputs.examples
    assert set(learned["stands_for"].tolist()) == {1.0 / rate}
    # A binomial count: four standard deviations.
    deviation = np.sqrt(count * rate * (1.0 - rate))
    assert abs(len(learned) - count * rate) < 4.0 * deviation


def test_charges_beyond_the_retention_are_forgotten_by_the_next_day() -> None:
    """Those that a restore brought back, and those that came very late, as well."""
    run = Run(**RULES, dispute_retention_days=10.0)
    run.feed(*(charge(f"c{i}", START + i * DAY) for i in range(30)))
    run.commit()
    run.restore()
    run.feed(charge("late", START - 300 * DAY))
    for day in (40.0, 41.0, 42.0):
        run.feed(later(day))
        run.commit()
    assert len(run.state(PENDING)) == 3
