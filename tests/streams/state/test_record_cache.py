"""The bounded cache of records against a dictionary that never forgets."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.layouts.layout import HEAD, Record
from streams.layouts.reader import Reader
from streams.state.record_cache import RecordCache
from streams.state.store import MemoryStore
from streams.state.tables import Table, TaskState

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORD = Record(
    "record",
    np.dtype([(HEAD, "u8"), ("count", "i8"), ("latest", "u2", (3,)), ("sum", "f4")], align=True),
)


class Unbounded:
    """Counts by key, as the cache is to hold them; `committed` is what survives a roll back."""

    def __init__(self) -> None:
        self.committed: dict[bytes, tuple[int, int]] = {}
        self.current: dict[bytes, tuple[int, int]] = {}

    def add(self, key: bytes, value: int) -> None:
        count, total = self.current.get(key, (0, 0))
        self.current[key] = count + 1, total + value


class Asked(Table):
    """A table that notes what it is asked."""

    def __init__(self) -> None:
        super().__init__(MemoryStore(), b"t")
        self.asked: list[bytes] = []

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        self.asked.extend(keys)
        return super().get_many(keys)


def use(cache: RecordCache, keys: list[bytes], value: int) -> None:
    slots = cache.slots(keys)
    for slot in slots.tolist():
        cache.records["count"][slot] += 1
        cache.records["sum"][slot] += value
        cache.records["latest"][slot] = [value, value + 1, value + 2]


def stored(state: TaskState) -> dict[bytes, tuple[int, int]]:
    found = {}
    for key, value in state.entities["card"].scan(b"", b"\xff"):
        record = np.frombuffer(value, RECORD.dtype)[0]
        found[key] = int(record["count"]), int(record["sum"])
    return found


@pytest.mark.parametrize("capacity", [1, 7, 50, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_records_equal_those_of_an_unbounded_dictionary(capacity: int, seed: int) -> None:
    """Batches of many keys, commits, and roll backs to the last of them."""
    rng = np.random.default_rng(seed)
    state, model = TaskState(MemoryStore()), Unbounded()
    cache = RecordCache(state.entities["card"], Reader(RECORD, {}), capacity)
    largest = capacity
    for turn in range(300):
        keys = [b"%d" % key for key in rng.zipf(1.3, rng.integers(1, 40)) % 400]
        largest = max(largest, len(set(keys)))
        use(cache, keys, turn)
        for key in keys:
            model.add(key, turn)
        assert len(cache.records) <= largest
        chance = rng.random()
        if chance < 0.15:
            cache.flush()
            state.commit(turn)
            model.committed = dict(model.current)
            assert stored(state) == model.committed
        elif chance < 0.2:
            state.discard()
            cache.clear()
            model.current = dict(model.committed)
    cache.flush()
    assert stored(state) == model.current
    assert len(model.current) > 200


@settings(max_examples=200, deadline=None)
@given(
    capacity=st.integers(1, 6),
    batches=st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=8), max_size=12),
)
def test_slots_are_one_a_key_and_what_they_hold_lasts(
    capacity: int, batches: list[list[int]]
) -> None:
    state = TaskState(MemoryStore())
    cache = RecordCache(state.entities["card"], Reader(RECORD, {}), capacity)
    model = Unbounded()
    for number, batch in enumerate(batches):
        keys = [b"%d" % key for key in batch]
        slots = cache.slots(keys)
        assert len(set(slots.tolist())) == len(set(keys))
        for key, slot in zip(keys, slots.tolist(), strict=True):
            expected = model.current.get(key, (0, 0))
            record = cache.records[slot]
            assert (int(record["count"]), int(record["sum"])) == expected
            record["count"] += 1
            record["sum"] += number
            model.add(key, number)


def test_the_least_recently_used_leave() -> None:
    """A key that comes in every third batch is asked of the table once, whoever passes by."""
    table = Asked()
    cache = RecordCache(table, Reader(RECORD, {}), capacity=16)
    for number in range(300):
        steady = [b"steady"] if number % 3 == 0 else []
        use(cache, [*steady, b"passing %d" % number], 1)
    assert table.asked.count(b"steady") == 1
    assert len(table.asked) == 301


def test_memory_does_not_grow_with_the_keys() -> None:
    state = TaskState(MemoryStore())
    cache = RecordCache(state.entities["card"], Reader(RECORD, {}), capacity=100)
    for number in range(500):
        use(cache, [b"%d" % key for key in range(10 * number, 10 * number + 10)], 1)
    assert cache.records.nbytes == 100 * RECORD.dtype.itemsize
    cache.flush()
    assert len(stored(state)) == 5000


@pytest.mark.parametrize("capacity", [4, 100])
def test_what_is_never_flushed_holds_no_more_memory_with_time(capacity: int) -> None:
    """A backtest looks at its records by the million and commits nothing."""
    table = Table(MemoryStore(), b"t")
    cache = RecordCache(table, Reader(RECORD, {}), capacity)
    keys = [b"%d" % key for key in range(8)]

    def look() -> None:
        for first in range(0, 8, 2):
            cache.slots(keys[first : first + 2] * 2)

    def held_bytes(times: int) -> int:
        tracemalloc.start()
        for _ in range(times):
            look()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return held

    held_bytes(100)
    assert held_bytes(2_000) < 20_000


def test_unchanged_records_are_not_put_again() -> None:
    """A commit carries what changed since the last one, not what the cache happens to hold."""
    state = TaskState(MemoryStore())
    cache = RecordCache(state.entities["card"], Reader(RECORD, {}), capacity=100)
    use(cache, [b"a", b"b"], 1)
    cache.flush()
    state.commit(1)
    use(cache, [b"b", b"c"], 1)
    cache.flush()
    assert set(state.changes()) == {b"\x01b", b"\x01c"}


def test_lookups_are_of_what_was_in_memory() -> None:
    cache = RecordCache(Table(MemoryStore(), b"t"), Reader(RECORD, {}), capacity=2)
    for keys in ([b"a", b"a", b"b"], [b"a"], [b"c"], [b"a", b"b"]):
        cache.slots(keys)
    assert cache.take_lookups() == (7, 5), "a twice, b, c, and b again, which c has put out"
    assert cache.take_lookups() == (0, 0)
