"""The delayed join against the contract's rules, applied to the list of all that happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.charge import Charge
from streams.events.rows import charge_rows
from streams.labels.join import LabelJoin
from streams.labels.label_rules import LabelRules
from streams.labels.pending import PENDING, PENDING_LAYOUT, kept_key
from streams.state.store import MemoryStore
from streams.state.tables import TaskState
from streams.wire.examples import BY_DISPUTE, EXAMPLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.events.rows import Rows

START, DAY = 1_700_000_000.0, 86400.0
HORIZON_S, RETENTION_S = 10 * DAY, 40 * DAY


@dataclass
class Kept:
    """A charge, when it came, by stream time, and the disputes it got."""

    charge: Charge
    came_at: float
    disputed_at: list[float] = field(default_factory=list)


class Join:
    """The join of one task, fed as the merchant stage feeds it, and the list of what it was fed."""

    def __init__(self, negative_rate: float = 1.0, store: MemoryStore | None = None) -> None:
        self.rules = LabelRules(HORIZON_S, RETENTION_S, negative_rate)
        self.state = TaskState(store or MemoryStore())
        self.labels = LabelJoin(self.state, self.rules)
        self.time = 0.0
        self.fed: list[Kept] = []
        self.learned: list[Rows] = [np.empty(0, EXAMPLE)]
        self.turns: list[float] = []

    def feed(self, charges: Sequence[Charge], disputes: Sequence[tuple[Charge, float]]) -> Rows:
        """Take a batch of charges and fraud disputes: (charge, when it was disputed)."""
        before = self.time
        times = [charge.created for charge in charges] + [time for _, time in disputes]
        self.time = max([before, *times])
        rows, kept = charge_rows(charges), PENDING_LAYOUT.new(len(charges))
        kept["created"] = rows["created"]
        kept["vector"][:, 0] = [number_of(charge) for charge in charges]
        clocks = np.maximum.accumulate(np.maximum(rows["created"], before))
        self.labels.keep(rows, kept, clocks, np.zeros(len(rows), np.uint32))
        self.fed.extend(map(Kept, charges, clocks.tolist()))
        examples = []
        for charge, disputed_at in disputes:
            key = kept_key(charge_rows([charge])[0])
            examples.append(self.labels.fraud(key, disputed_at, BY_DISPUTE))
            [found] = [kept for kept in self.fed if kept.charge is charge]
            found.disputed_at.append(disputed_at)
        matured = self.labels.mature(self.time)
        examples.append(matured.negatives)
        self.labels.kept.expire(before, self.time)
        self.learned.append(np.concatenate(examples))
        self.turns.append(self.time)
        return self.learned[-1]


def charge_at(number: int, created: float) -> Charge:
    return Charge(f"charge_{number}", created, 100, "usd", f"card_{number % 50}", "merchant_1")


def number_of(charge: Charge) -> int:
    return int(charge.id.removeprefix("charge_"))


def random_join(seed: int, negative_rate: float = 1.0) -> Join:
    """Charges, some late, with disputes that come within the horizon, after it, or never."""
    rng = np.random.default_rng(seed)
    join, now, number = Join(negative_rate), START, 0
    to_come: list[tuple[float, Charge]] = []
    for turn in range(250):
        now += float(rng.choice([0.0, 60.0, 0.3 * DAY, DAY]))
        charges = []
        for _ in range(int(rng.integers(0, 6))):
            late = float(rng.choice([0.0, 0.0, 0.0, 3600.0, 2 * DAY, 12 * DAY, 39 * DAY]))
            charges.append(charge_at(number, now - late))
            number += 1
        for charge in charges:
            for _ in range(int(rng.choice([0, 0, 1, 1, 2]))):
                delay = float(rng.choice([60.0, DAY, HORIZON_S, HORIZON_S + 1.0, 15 * DAY]))
                to_come.append((max(now, charge.created + delay), charge))
        arrived = [(charge, at) for at, charge in sorted(to_come, key=lambda x: x[0]) if at <= now]
        to_come = [item for item in to_come if item[0] > now]
        if charges or arrived:
            join.feed(charges, arrived)
        if rng.random() < 0.2:
            join.state.commit(turn)
    join.feed([charge_at(number, now + 100 * DAY)], [])
    return join


def examples_of(join: Join, label: int) -> dict[int, Rows]:
    """The examples of one label by the number of their charge, which is in their vector."""
    found: dict[int, Rows] = {}
    for turn, examples in enumerate(join.learned):
        for example in examples[examples["label"] == label]:
            number = int(example["vector"][0])
            assert number not in found, "learned twice"
            found[number] = np.array((turn, example), [("turn", "i8"), ("example", EXAMPLE)])
    return found


@pytest.mark.parametrize("seed", range(5))
def test_disputed_charges_are_positives_at_once(seed: int) -> None:
    """Once each, when the first dispute is there, before the horizon or after it."""
    join = random_join(seed)
    positives = examples_of(join, 1)
    disputed = {number_of(kept.charge): kept for kept in join.fed if kept.disputed_at}
    assert positives.keys() == disputed.keys()
    assert len(disputed) > 100
    for number, kept in disputed.items():
        turn, example = positives[number]["turn"], positives[number]["example"]
        assert example["labelled_at"] == kept.disputed_at[0]
        assert example["charged_at"] == kept.charge.created
        assert example["charge"].tolist() == charge_rows([kept.charge])["charge"][0].tolist()
        assert example[["weight", "stands_for"]].tolist() == (1.0, 1.0)
        assert join.turns[turn - 1] >= kept.disputed_at[0]
        assert turn == 1 or join.turns[turn - 2] <= kept.disputed_at[0]
    late = [
        kept for kept in disputed.values() if kept.disputed_at[0] > kept.charge.created + HORIZON_S
    ]
    assert len(late) > 20


@pytest.mark.parametrize("seed", range(5))
def test_charges_undisputed_at_the_horizon_are_negatives(seed: int) -> None:
    """As soon as stream time is past it; one that comes later than that, when time moves on."""
    join = random_join(seed)
    negatives = examples_of(join, 0)
    expected = {}
    for kept in join.fed:
        in_time = [at for at in kept.disputed_at if at <= kept.charge.created + HORIZON_S]
        is_past = [
            turn
            for turn, time in enumerate(join.turns, 1)
            if time > max(kept.charge.created + HORIZON_S, kept.came_at)
        ]
        if is_past and not (in_time and in_time[0] <= join.turns[is_past[0] - 1]):
            expected[number_of(kept.charge)] = (is_past[0], kept)
    assert negatives.keys() == expected.keys()
    assert len(expected) > 100
    for number, (turn, kept) in expected.items():
        assert negatives[number]["turn"] == turn
        example = negatives[number]["example"]
        assert example["charged_at"] == kept.charge.created
        assert example[["weight", "stands_for"]].tolist() == (0.0, 1.0)
    both = negatives.keys() & examples_of(join, 1).keys()
    assert len(both) > 20, "a dispute after the horizon makes a positive besides"


def test_exactly_at_the_horizon_is_not_past_it() -> None:
    join = Join()
    join.feed([charge_at(1, START)], [])
    assert len(join.feed([charge_at(2, START + HORIZON_S)], [])) == 0
    assert len(join.feed([charge_at(3, START + HORIZON_S + 0.001)], [])) == 1


@pytest.mark.parametrize("rate", [0.05, 0.3])
def test_sample_of_the_negatives_stands_for_all(rate: float) -> None:
    """Its share and what it stands for, within four standard errors; positives are all in."""
    count = 20_000
    join = Join(rate)
    charges = [charge_at(number, START + number) for number in range(count)]
    join.feed(charges, [])
    positives = join.feed([], [(charge, START + DAY) for charge in charges[:100]])
    assert len(positives) == 100
    negatives = join.feed([charge_at(count, START + 20 * DAY)], [])
    error = 4 * np.sqrt(count * rate * (1 - rate))
    assert abs(len(negatives) - (count - 100) * rate) < error
    assert abs(negatives["stands_for"].sum() - (count - 100)) < error / rate
    assert not set(negatives["vector"][:, 0]) & set(range(100))


def test_sample_is_the_same_in_every_replay_and_at_every_batch() -> None:
    """And a higher rate only adds to it."""
    charges = [charge_at(number, START + number) for number in range(2000)]
    end = charge_at(2000, START + 20 * DAY)

    def sample(rate: float, size: int) -> list[int]:
        join = Join(rate)
        for start in range(0, len(charges), size):
            join.feed(charges[start : start + size], [])
        join.state.commit(1)
        return [int(number) for number in join.feed([end], [])["vector"][:, 0]]

    assert sample(0.2, 2000) == sample(0.2, 7)
    assert set(sample(0.2, 100)) < set(sample(0.5, 100)) < set(sample(1.0, 100))


@pytest.mark.parametrize("is_committed", [True, False])
def test_restored_join_goes_on(is_committed: bool) -> None:
    """What was committed is there for another worker; what was not never happened."""
    store = MemoryStore()
    before = Join(store=store)
    charges = [charge_at(number, START + number) for number in range(10)]
    before.feed(charges, [(charges[0], START + DAY)])
    if is_committed:
        before.state.commit(1)
    after = Join(store=store)
    after.time = before.time if is_committed else 0.0
    if is_committed:
        key = kept_key(charge_rows(charges)[0])
        assert len(after.labels.fraud(key, START + 2 * DAY, BY_DISPUTE)) == 0
    negatives = after.feed([charge_at(10, START + 11 * DAY)], [])
    assert sorted(negatives["vector"][:, 0]) == list(range(1, 10)) * is_committed


def test_find_looks_as_far_as_it_is_told() -> None:
    join = Join()
    charge = charge_at(1, START)
    join.feed([charge, charge_at(2, START)], [])
    row = charge_rows([charge])

    def finds(time: float, back_s: float, ahead_s: float) -> bool:
        [found] = join.labels.kept.find(row["charge"], np.array([time]), back_s, ahead_s)
        assert found is None or found.charge["vector"][0] == 1.0
        return found is not None

    assert finds(START + 30 * DAY, 30 * DAY, 0.0)
    assert not finds(START + 30 * DAY, 28 * DAY, 0.0)  # to within a day
    assert finds(START - DAY, 0.0, DAY)
    assert not finds(START - 2 * DAY, 30 * DAY, 0.5 * DAY)
    assert join.labels.kept.find(row["charge"] + np.uint64(1), row["created"], DAY, DAY) == [None]


def test_find_goes_back_for_months_to_the_nearest() -> None:
    join = Join()
    rows = charge_rows([charge_at(1, START), charge_at(1, START + 50 * DAY), charge_at(2, START)])
    kept = PENDING_LAYOUT.new(len(rows))
    kept["created"] = rows["created"]
    join.labels.keep(rows, kept, rows["created"], np.zeros(len(rows), np.uint32))
    sought = rows["charge"][[1, 0, 2]]
    around = np.array([START + 170 * DAY, START + 40 * DAY, START + 170 * DAY])
    found = join.labels.kept.find(sought, around, 180 * DAY, 0.0)
    created = [one and float(one.charge["created"]) for one in found]
    assert created == [START + 50 * DAY, START, START]
    assert join.labels.kept.find(sought[:0], around[:0], DAY, DAY) == []


def test_memory_holds_the_retention_and_no_more() -> None:
    """Charges of a hundred days, late ones among them: those of forty are left, to within a day."""
    join = Join()
    for day in range(100):
        created = START + day * DAY
        join.feed([charge_at(2 * day, created), charge_at(2 * day + 1, created - 30 * DAY)], [])
        join.state.commit(day)
    left = [np.frombuffer(value, PENDING)[0]["created"] for _, value in scan(join, "pending")]
    oldest = START + 99 * DAY - RETENTION_S
    assert oldest - DAY <= min(left) <= oldest + DAY
    assert sum(created >= oldest for kept in join.fed for created in [kept.charge.created]) <= len(
        left
    )
    assert len(left) < 90
    assert len(scan(join, "timers")) <= 2 * (HORIZON_S / DAY + 1)


def scan(join: Join, table: str) -> list[tuple[bytes, bytes]]:
    return list(getattr(join.state, table).scan(b"", b"\xff" * 30))
