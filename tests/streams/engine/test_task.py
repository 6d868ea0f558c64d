"""A task: what is not committed never happened, and is fetched again."""

from __future__ import annotations

import numpy as np
import orjson
import pytest

from streams.engine.task import SOURCES, Task
from streams.events.batch import Batch
from streams.layouts.layout import HEAD, Record
from streams.layouts.reader import Reader
from streams.state.record_cache import RecordCache
from streams.state.store import MemoryStore
from streams.state.tables import TaskState

COUNT = Record("count", np.dtype([(HEAD, "u8"), ("count", "i8")]))
FROM_THE_START = dict.fromkeys(SOURCES, 0)


class Counting:
    """A stage that counts keys, in a cache too small for all of them."""

    def __init__(self, state: TaskState) -> None:
        self.cache = RecordCache(state.entities["card"], Reader(COUNT, {}), capacity=3)

    @property
    def waiting(self) -> int:
        return 0

    def count(self, key: bytes) -> None:
        slots = self.cache.slots([key])
        self.cache.records["count"][slots] += 1

    def flush(self) -> None:
        self.cache.flush()

    def reload(self) -> None:
        self.cache.clear()


def new_task(store: MemoryStore) -> tuple[Task, Counting]:
    state = TaskState(store)
    stages = Counting(state)
    return Task(3, state, stages), stages


def fetch(task: Task, source: str, messages: int) -> None:
    """Fetch messages that are no events, so that they are done as soon as they are fetched."""
    buffer = task.buffers[source]
    none = np.empty(0, np.int64)
    buffer.add(np.empty(0), Batch(), none, np.empty(0), [], buffer.fetched + messages)


def counts(store: MemoryStore) -> dict[bytes, int]:
    state = TaskState(store)
    found = state.entities["card"].scan(b"", b"\xff")
    return {key: int(np.frombuffer(value, COUNT.dtype)["count"][0]) for key, value in found}


def test_an_earlier_version_finds_the_positions_of_its_own_inputs_alone() -> None:
    """It fetches every input of which it finds a position, and knows no outcomes."""
    task, _ = new_task(MemoryStore())
    task.start({"charges": 4, "disputes": 3, "outcomes": 2, "by_merchant": 1, "by_entity": 5})
    task.seal()
    task.write(0)
    stored = task.state.meta.get(b"positions")
    assert orjson.loads(stored or b"") == {"charges": 4, "disputes": 3, "by_merchant": 1}
    assert task.stored_positions() == task.positions()


def test_new_task_stands_for_nothing() -> None:
    task, _ = new_task(MemoryStore())
    assert not task.is_running
    assert task.stored_positions() is None


@pytest.mark.parametrize("seed", range(10))
def test_state_and_positions_are_those_of_the_last_commit(seed: int) -> None:
    """Through work, commits beside it, roll backs, and workers that die and are followed."""
    rng = np.random.default_rng(seed)
    store = MemoryStore()
    task, stages = new_task(store)
    task.start(FROM_THE_START)
    work: dict[bytes, int] = {}
    committed, committed_positions = dict(work), dict(FROM_THE_START)
    sealed, sealed_positions = committed, committed_positions
    rolled_back = 0
    for turn in range(200):
        for _ in range(int(rng.integers(0, 5))):
            key = b"%d" % rng.integers(0, 8)
            stages.count(key)
            work[key] = work.get(key, 0) + 1
        source = str(rng.choice(SOURCES))
        fetch(task, source, int(rng.integers(0, 4)))
        task.is_dirty = True
        chance = rng.random()
        if chance < 0.3 and not task.is_sealed:
            task.seal()
            sealed, sealed_positions = dict(work), task.positions()
            assert not task.is_dirty
        elif chance < 0.5 and task.is_sealed:  # after none or some turns more
            task.write(turn)
            task.settle()
            committed, committed_positions = sealed, sealed_positions
            assert store.offset == turn
        elif chance < 0.6 and task.is_sealed:
            task.unseal()
        elif chance < 0.65:  # as when the transaction fails, if it is sealed
            assert task.roll_back() == committed_positions
            work = dict(committed)
            rolled_back += 1
            assert not task.is_dirty
            assert task.positions() == committed_positions
        elif chance < 0.7:
            task, stages = new_task(store)
            assert (task.stored_positions() or FROM_THE_START) == committed_positions
            task.start(committed_positions)
            work = dict(committed)
        assert counts(store) == committed
    assert rolled_back > 10
