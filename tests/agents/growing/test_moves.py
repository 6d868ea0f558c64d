"""The state of more partitions, against one that had as many from the start."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agents.growing.moves import GrowError, Moves, check_cards
from agents.growing.places import COPIED, Growth
from agents.growing.standing import new_standing
from streams.events.rows import charge_hash
from streams.features.entities import CARDS, FEATURE_NAMES, MERCHANTS
from streams.kafka.partitioner import partitions_of
from streams.labels.pending import big_endian, day_key
from streams.simulator import Simulation
from streams.state.store import MemoryStore
from streams.state.tables import DRIFT, META, PENDING, TIMERS
from tests.agents.growing.tasks import Records, Tasks
from tests.agents.stages.stages import DAY, START, charge, dispute, simulated

if TYPE_CHECKING:
    from tests.agents.stages.stages import Message

SEED = 5
COPIES = {table.prefix for table in COPIED}
BY_STREAM_TIME = ("_blocked_", "_stopped_")
"""In the names of features of what was stopped, which counts from the next hour of the stream time
of its task on: that is another task's."""


@pytest.fixture(scope="module")
def stream() -> list[Message]:
    return simulated(
        Simulation(
            seed=SEED, cards=40, merchants=9, days=8.0, charges_per_day=45.0, fraud_rate=0.08,
            dispute_delay_scale=0.1, warning_share=0.5, other_dispute_rate=0.03, late_share=0.02,
            late_max_s=4000.0, duplicate_share=0.04, malformed_share=0.0,
        )
    )  # fmt: skip


@pytest.mark.parametrize(("before", "after"), [(4, 8), (2, 3)])
def test_charges_are_scored_as_if_there_had_always_been_as_many(
    stream: list[Message], before: int, after: int
) -> None:
    first, then = stream[: len(stream) * 2 // 3], stream[len(stream) * 2 // 3 :]
    grown, always = Tasks(before), Tasks(after)
    for tasks in (grown, always):
        tasks.feed(first)
        tasks.pause()
    held = grown.records()
    looks = grown.grow(after)
    assert [look.changed > 0 for look in looks] == [True, False]
    assert all(count.is_like(looks[0].counts[name]) for name, count in looks[1].counts.items())
    assert_nothing_is_lost(held, grown.records())
    assert_in_place(grown, after)
    for tasks in (grown, always):
        tasks.vectors.clear()
        tasks.feed(then)
    assert grown.vectors.keys() == always.vectors.keys()
    assert grown.rejected == always.rejected == []
    vectors, wanted = (
        np.array([vector for charge in grown.vectors for vector in tasks.vectors[charge]])
        for tasks in (grown, always)
    )
    assert len(vectors) > 80
    differs = (vectors != wanted).any(axis=0)
    other = [name for name, is_other in zip(FEATURE_NAMES, differs, strict=True) if is_other]
    assert [name for name in other if not any(part in name for part in BY_STREAM_TIME)] == []
    assert len(grown.positives) > 10
    assert Counter(grown.positives) == Counter(always.positives), "each fraud is learned once"
    assert max(Counter(grown.negatives).values()) == 1
    late = set(grown.negatives) ^ set(always.negatives)
    assert len(late) <= 3, "a task may be an hour behind, and have some that have not matured"


def assert_nothing_is_lost(before: list[Records], after: list[Records]) -> None:
    """Every record is in one task, or where it is copied in some, with the value it had."""
    kept = [
        Counter(item for records in tasks for item in records.items() if item[0][:1] not in skipped)
        for tasks in (before, after)
        for skipped in [COPIES | {META, DRIFT}]
    ]
    assert kept[0] == kept[1]
    copied = [
        {item for records in tasks for item in records.items() if item[0][:1] in COPIES}
        for tasks in (before, after)
    ]
    assert copied[0] == copied[1]


def assert_in_place(tasks: Tasks, count: int) -> None:
    """By brute force: cards and merchants by their keys, kept charges where their merchant is."""
    records = tasks.records()
    for number, of_task in enumerate(records):
        own = [key[1:] for key in of_task if key[:1] in {CARDS.prefix, MERCHANTS.prefix}]
        assert partitions_of(own, count).tolist() == [number] * len(own)
        kept = {key[1:] for key in of_task if key[:1] == PENDING}
        assert {value for key, value in of_task.items() if key[:1] == TIMERS} <= kept
        assert not [key for key in of_task if key[:1] == DRIFT]
    assert len(tasks.events) > 150
    for name, (event, *_) in tasks.events.items():
        [place] = partitions_of([event["merchant"].encode()], count).tolist()
        hashed = np.frombuffer(charge_hash(event["card"], name), np.uint64).reshape(1, 2)
        key = PENDING + day_key(int(event["created"] // DAY)) + big_endian(hashed)[0]
        assert [number for number, of_task in enumerate(records) if key in of_task] == [place]


def test_stopped_anywhere_it_goes_on(stream: list[Message]) -> None:
    rng = random.Random(SEED)
    stopped, whole = Tasks(2), Tasks(2)
    for tasks in (stopped, whole):
        tasks.feed(stream[:150])
    whole.grow(3)
    stopped.stores.append(MemoryStore())
    stops = 0
    while (look := Moves(stopped.stores, Growth(2, 3))) and (changes := list(look)):
        for change in changes[: rng.randint(1, 2)]:  # each is whole, as a transaction is
            stopped.write(change)
        stops += 1
    assert stops > 3
    stopped.write(new_standing(stopped.stores, Growth(2, 3)))
    assert stopped.records() == whole.records()


def test_a_dispute_that_waits_finds_its_charge_in_another_task() -> None:
    cards = [f"card_{number}" for number in range(30)]
    tasks = Tasks(2)
    tasks.feed([charge(f"old_{card}", START, card=card) for card in cards])
    tasks.feed([dispute(f"new_{card}", START + 60.0, card=card) for card in cards])
    assert tasks.positives == []
    looks = tasks.grow(5)
    assert looks[0].counts["waiting"].records == 30
    assert 10 < looks[0].counts["waiting"].changed < 30
    tasks.feed([charge(f"new_{card}", START + 50.0, card=card) for card in cards])
    tasks.pause()
    assert (len(tasks.positives), tasks.rejected) == (30, [])


def test_cards_that_are_keyed_otherwise_are_refused() -> None:
    store = MemoryStore()
    store.write({CARDS.prefix + b"card_%d" % number: b"" for number in range(300)}, [], 1)
    with pytest.raises(GrowError, match=r"of 300 cards are in other partitions .* Nothing was"):
        check_cards([store, MemoryStore()], Growth(2, 4))
