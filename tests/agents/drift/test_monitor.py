"""The monitor: the means of days by brute force, and that nothing but the events makes a drift."""

from __future__ import annotations

import math
from random import Random
from typing import NamedTuple

import numpy as np
import pytest

from agents.drift.daily_blocks import BLOCK_LAYOUT, Watched
from agents.drift.monitor import BLOCKS_MAX, CHARGES_MIN, DriftMonitor, Shift
from agents.drift.quantities import WATCH
from schemas.drift import Drift
from streams.features.entities import FEATURE_NAMES
from streams.layouts.reader import Reader
from streams.state.store import KeyRange, MemoryStore
from streams.state.tables import DRIFT, Table

DAY = 86_400.0
FIRST_DAY = 20_000
BLOCK = BLOCK_LAYOUT.dtype
NAMES = [quantity.name for quantity in WATCH.quantities]
OF_FEATURES = NAMES[3:]
AMOUNT = FEATURE_NAMES.index("amount")
LOGS = {"amount", "card_count_1h", "merchant_cards_1h"}
"""Of the features watched those whose transform is a logarithm, as the table of features says."""


class Stream(NamedTuple):
    """Charges and frauds, each in the order of stream time."""

    watched: Watched
    changes_on: int


def stream(seed: int, days: int, change: float = 1.0, a_day: int = 700, gap: int = 0) -> Stream:
    """Make charges whose amounts are `change` times as large from some day on."""
    random = np.random.default_rng(seed)
    count = days * a_day
    times = np.sort(random.uniform(FIRST_DAY * DAY, (FIRST_DAY + days) * DAY, count))
    times[count // 2 :] += gap * DAY
    vectors = random.uniform(0.0, 1.0, (count, len(FEATURE_NAMES))).astype(np.float32)
    changes_on = FIRST_DAY + gap + (2 * days) // 3
    vectors[:, AMOUNT] = random.lognormal(3.0, 1.0, count)
    vectors[times >= changes_on * DAY, AMOUNT] *= change
    frauds_at = np.sort(random.uniform(times[0], times[-1], count // 50))
    fraud_scores = random.uniform(0.01, 0.99, len(frauds_at))
    fraud_scores[random.random(len(frauds_at)) < 0.2] = np.nan
    scores = random.beta(1.0, 100.0, count)
    duplicates = (random.random(count) < 0.05).astype(np.uint8)
    watched = Watched(times, vectors, scores, duplicates, frauds_at, fraud_scores, is_learned=True)
    return Stream(watched, changes_on)


def part(watched: Watched, start: float, end: float) -> Watched:
    """Return what is from one time up to another."""
    charges = slice(*np.searchsorted(watched.times, [start, end]))
    frauds = slice(*np.searchsorted(watched.frauds_at, [start, end]))
    return Watched(
        times=watched.times[charges],
        vectors=watched.vectors[charges],
        scores=watched.scores[charges],
        duplicates=watched.duplicates[charges],
        frauds_at=watched.frauds_at[frauds],
        fraud_scores=watched.fraud_scores[frauds],
        is_learned=watched.is_learned,
    )


class Run:
    """A monitor above a store, through commits, aborts and restarts."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.shifts: list[Shift] = []
        self._committed = 0
        self._changelog: list[dict[bytes, bytes | None]] = []
        self._open()

    def add(self, watched: Watched) -> None:
        self.shifts += [s for block in self.monitor.add(watched) for s in block.shifts]

    def commit(self) -> None:
        self.monitor.flush()
        self._changelog.append(dict(self.table.changes))
        self.store.write(self.table.changes, [], len(self._changelog))
        self.table.forget_changes()
        self._committed = len(self.shifts)

    def roll_back(self) -> None:
        self.table.forget_changes()
        self.monitor.reload()
        del self.shifts[self._committed :]

    def restart(self) -> None:
        self._open()
        del self.shifts[self._committed :]

    def restore(self) -> None:
        self.store = MemoryStore()
        for number, changes in enumerate(self._changelog, 1):
            self.store.write(changes, [], number)
        self.restart()

    def records(self) -> dict[bytes, bytes]:
        self.commit()
        return dict(self.store.scan(KeyRange(b"", b"\xff")))

    def _open(self) -> None:
        self.table = Table(self.store, DRIFT)
        self.monitor = DriftMonitor(self.table, Reader(BLOCK_LAYOUT, {}), WATCH)


def undisturbed(watched: Watched) -> Run:
    run = Run()
    run.add(watched)
    return run


def log_odds(score: float) -> float:
    return math.log(score / (1.0 - score))


def daily_means(watched: Watched) -> dict[str, list[float]]:
    """Return the means of each day with charges, on the scale of each quantity."""
    days: dict[int, dict[str, list[float]]] = {}
    for row, time in enumerate(watched.times.tolist()):
        if watched.duplicates[row]:
            continue
        day = days.setdefault(int(time // DAY), {name: [] for name in NAMES})
        day["score"].append(log_odds(watched.scores[row]))
        for name in OF_FEATURES:
            value = float(watched.vectors[row, FEATURE_NAMES.index(name)])
            day[name].append(math.log1p(value) if name in LOGS else value)
    for time, score in zip(watched.frauds_at, watched.fraud_scores, strict=True):
        day = days[int(time // DAY)]
        day["dispute_rate"].append(1.0)
        if not math.isnan(score):
            day["fraud_score"].append(log_odds(score))
    means: dict[str, list[float]] = {name: [] for name in NAMES}
    for _, day in sorted(days.items()):
        for name, values in day.items():
            charges = len(day["amount"])
            means[name].append(sum(values) / (charges if name == "dispute_rate" else len(values)))
    return means


def test_blocks_are_the_means_of_days() -> None:
    watched = stream(1, days=20).watched
    records = undisturbed(watched).records()
    blocks = np.frombuffer(b"".join(records.values()), BLOCK)
    assert blocks["first_day"].tolist() == list(range(FIRST_DAY, FIRST_DAY + 20))
    means = blocks["sums"] / blocks["counts"] / 2**20
    for number, (name, wanted) in enumerate(daily_means(watched).items()):
        np.testing.assert_allclose(means[:, number], wanted, atol=1e-6, err_msg=name)


def test_what_a_finished_block_tells() -> None:
    watched = stream(1, days=5).watched
    finished = DriftMonitor(Table(MemoryStore(), DRIFT), Reader(BLOCK_LAYOUT, {}), WATCH).add(
        watched
    )
    assert [block.since for block in finished] == [(FIRST_DAY + day) * DAY for day in range(4)]
    assert [block.until - block.since for block in finished] == [DAY] * 4
    for number, (name, wanted) in enumerate(daily_means(watched).items()):
        means = [block.means[number] for block in finished]
        if name in LOGS:
            means = np.log1p(means).tolist()
        elif "score" in name:
            means = list(map(log_odds, means))
        np.testing.assert_allclose(means, wanted[:4], atol=1e-6, err_msg=name)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("change", [1.3, 0.8])
def test_a_change_of_amounts_is_found_once_where_it_is(seed: int, change: float) -> None:
    watched, changes_on = stream(seed, days=60, change=change)
    (shift,) = undisturbed(watched).shifts
    assert shift.quantity.name == "amount"
    assert shift.since == changes_on * DAY
    assert shift.since + 3 * DAY <= shift.at <= shift.since + 8 * DAY
    logs = daily_means(watched)["amount"]
    split, end = changes_on - FIRST_DAY, round(shift.at / DAY) - FIRST_DAY
    assert shift.before == pytest.approx(math.expm1(np.mean(logs[:split])), rel=1e-5)
    assert shift.after == pytest.approx(math.expm1(np.mean(logs[split:end])), rel=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_a_steady_stream_has_none(seed: int) -> None:
    assert undisturbed(stream(seed, days=90).watched).shifts == []


@pytest.mark.parametrize("seed", range(12))
def test_neither_cuts_nor_failures_make_a_difference(seed: int) -> None:
    random = Random(seed)
    watched, _ = stream(seed, days=70, change=1.5, gap=random.choice([0, 40]))
    whole = undisturbed(watched)
    run = Run()
    position = committed = FIRST_DAY * DAY
    while position < watched.times[-1]:
        stop = position + random.choice([0.01, 0.3, 1.0, 4.0]) * random.random() * DAY
        run.add(part(watched, position, stop))
        position, trouble = stop, random.random()
        if trouble < 0.5:
            run.commit()
            committed = position
        elif trouble < 0.7:
            random.choice([run.roll_back, run.restart, run.restore])()
            position = committed
    assert len(whole.shifts) > 0, f"seed {seed}"
    assert run.shifts == whole.shifts, f"seed {seed}"
    assert run.records() == whole.records(), f"seed {seed}"


def test_days_with_few_charges_are_one_block_together() -> None:
    a_day = CHARGES_MIN // 3
    records = undisturbed(stream(1, days=24, a_day=a_day).watched).records()
    blocks = np.frombuffer(b"".join(records.values()), BLOCK)
    assert set(blocks["last_day"] - blocks["first_day"]) == {3}
    assert (blocks["counts"][:-1, NAMES.index("amount")] >= CHARGES_MIN).all()


def test_old_blocks_are_deleted() -> None:
    days = BLOCKS_MAX + 9
    records = undisturbed(stream(1, days=days).watched).records()
    assert len(records) == BLOCKS_MAX + 1  # and the unfinished one
    assert min(records)[1:] == (FIRST_DAY + days - BLOCKS_MAX - 1).to_bytes(4, "big")


def test_scores_of_the_prior_do_not_count() -> None:
    watched = stream(1, days=3).watched._replace(is_learned=False)
    records = undisturbed(watched).records()
    blocks = np.frombuffer(b"".join(records.values()), BLOCK)
    assert not blocks["counts"][:, NAMES.index("score")].any()
    assert not blocks["sums"][:, NAMES.index("score")].any()
    assert blocks["counts"][:, NAMES.index("amount")].all()


def test_event_of_a_shift() -> None:
    shift = Shift(WATCH.quantities[0], at=2 * DAY, since=DAY, before=0.1, after=0.2)
    assert shift.event(3) == Drift("score", 3, 2 * DAY, DAY, 0.1, 0.2, "probability")
