"""A task's tables against plain dictionaries, above both stores."""

from __future__ import annotations

import shutil
import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from streams.state.rocksdb import RocksStore
from streams.state.store import KeyRange, MemoryStore
from streams.state.tables import TaskState

if TYPE_CHECKING:
    from streams.state.store import Store
    from streams.state.tables import Table

TABLES = ("card", "merchant", "seen", "pending", "timers", "waiting", "meta")

tables = st.sampled_from(TABLES)
keys = st.lists(st.sampled_from([b"\x00", b"\x01", b"a", b"\xff"]), max_size=3).map(b"".join)
values = st.binary(max_size=5)


class StateMachine(RuleBasedStateMachine):
    """Random reads and writes, commits and the lack of them."""

    def __init__(self) -> None:
        super().__init__()
        self.committed: dict[tuple[str, bytes], bytes] = {}
        self.changed: dict[tuple[str, bytes], bytes | None] = {}
        self.dropped: list[tuple[str, bytes, bytes]] = []
        self.sealed: dict[tuple[str, bytes], bytes | None] | None = None
        self.sealed_dropped: list[tuple[str, bytes, bytes]] = []
        self.offset: int | None = None
        self.replayed = MemoryStore()

    @initialize()
    def open(self) -> None:
        self.state = TaskState(self.new_store())

    def new_store(self) -> Store:
        return MemoryStore()

    def table(self, name: str) -> Table:
        table: Table = self.state.entities.get(name) or getattr(self.state, name)
        return table

    def current(self) -> dict[tuple[str, bytes], bytes]:
        both = {**self.committed, **(self.sealed or {}), **self.changed}
        return {key: value for key, value in both.items() if value is not None}

    @rule(table=tables, key=keys, value=values)
    def put(self, table: str, key: bytes, value: bytes) -> None:
        self.table(table).put(key, value)
        self.changed[table, key] = value

    @rule(table=tables, key=keys)
    def delete(self, table: str, key: bytes) -> None:
        self.table(table).delete(key)
        self.changed[table, key] = None

    @rule(table=tables, start=keys, end=keys)
    def drop(self, table: str, start: bytes, end: bytes) -> None:
        start, end = sorted((start, end))
        self.table(table).drop(start, end)
        self.dropped.append((table, start, end))

    @rule(table=tables, some=st.lists(keys, max_size=5))
    def get(self, table: str, some: list[bytes]) -> None:
        current = self.current()
        expected = [current.get((table, key)) for key in some]
        assert self.table(table).get_many(some) == expected
        assert [self.table(table).get(key) for key in some] == expected

    @rule(table=tables, start=keys, end=keys)
    def scan(self, table: str, start: bytes, end: bytes) -> None:
        start, end = sorted((start, end))
        expected = sorted(
            (key, value)
            for (name, key), value in self.current().items()
            if name == table and start <= key < end
        )
        assert list(self.table(table).scan(start, end)) == expected

    @rule(table=tables, count=st.integers(0, 4))
    def take(self, table: str, count: int) -> None:
        """Take the first items of a scan, deleting each, as what is due is taken."""
        current = self.current()
        first = sorted(key for name, key in current if name == table)[:count]
        taken: list[tuple[bytes, bytes]] = []
        for key, value in self.table(table).scan(b"", b"\xff" * 4):
            if len(taken) == count:
                break
            self.table(table).delete(key)
            self.changed[table, key] = None
            taken.append((key, value))
        assert taken == [(key, current[table, key]) for key in first]

    @precondition(lambda self: self.sealed is None)
    @rule()
    def seal(self) -> None:
        self.to_replay = self.state.seal()
        self.take_as_sealed()
        assert self.to_replay == {
            bytes([1 + TABLES.index(table)]) + key: value
            for (table, key), value in (self.sealed or {}).items()
        }

    @precondition(lambda self: self.sealed is not None)
    @rule(offset=st.integers(0, 2**40))
    def write_and_settle(self, offset: int) -> None:
        self.state.write(offset)
        self.state.settle()
        self.replayed.write(self.to_replay, [], offset)
        self.take_as_committed(offset)

    @precondition(lambda self: self.sealed is None)
    @rule(offset=st.integers(0, 2**40))
    def commit(self, offset: int) -> None:
        self.replayed.write(self.state.changes(), [], offset)
        self.state.commit(offset)
        self.take_as_sealed()
        self.take_as_committed(offset)

    def take_as_sealed(self) -> None:
        self.sealed, self.sealed_dropped = self.changed, self.dropped
        self.changed, self.dropped = {}, []

    def take_as_committed(self, offset: int) -> None:
        for table, start, end in self.sealed_dropped:
            for name, key in list(self.committed):
                if name == table and start <= key < end:
                    del self.committed[name, key]
        both = {**self.committed, **(self.sealed or {})}
        self.committed = {key: value for key, value in both.items() if value is not None}
        self.offset = offset
        self.sealed, self.sealed_dropped = None, []

    @precondition(lambda self: self.sealed is not None)
    @rule()
    def unseal(self) -> None:
        assert self.sealed is not None
        self.state.unseal()
        self.changed = {**self.sealed, **self.changed}
        self.dropped = [*self.sealed_dropped, *self.dropped]
        self.sealed, self.sealed_dropped = None, []

    @rule()
    def discard(self) -> None:
        self.state.discard()
        self.forget()

    def forget(self) -> None:
        self.changed, self.dropped = {}, []
        self.sealed, self.sealed_dropped = None, []

    @invariant()
    def store_holds_what_was_committed(self) -> None:
        store = self.state.store
        assert store.offset == self.offset
        assert dict(everything(store)) == {
            bytes([1 + TABLES.index(table)]) + key: value
            for (table, key), value in self.committed.items()
        }

    @invariant()
    def changelog_has_all_of_it(self) -> None:
        """Replayed, the commits give what was committed, and at most what was dropped besides."""
        assert set(everything(self.replayed)) >= set(everything(self.state.store))


class RocksMachine(StateMachine):
    """The same on disk, closed and opened again now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())

    def new_store(self) -> Store:
        return RocksStore(self.directory / "db", "layout")

    @rule()
    def reopen(self) -> None:
        self.state.store.close()
        self.state = TaskState(self.new_store())
        self.forget()

    def teardown(self) -> None:
        self.state.store.close()
        shutil.rmtree(self.directory)


def everything(store: Store) -> list[tuple[bytes, bytes]]:
    return list(store.scan(KeyRange(b"\x01", b"\x08")))


TestMemory = StateMachine.TestCase
TestMemory.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
TestRocks = RocksMachine.TestCase
TestRocks.settings = settings(max_examples=8, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("seed", range(5))
def test_a_scan_sees_all_that_changed_however_much_came_since_the_last(seed: int) -> None:
    """Few new keys and many; and a scan that has begun is not moved by keys that it has passed."""
    rng = np.random.default_rng(seed)
    table, wanted = TaskState(MemoryStore()).pending, dict[bytes, bytes]()
    for count in rng.choice([0, 1, 2, 15, 16, 17, 100], 30).tolist():
        for key in rng.integers(256, 1 << 16, count).tolist():
            wanted[key.to_bytes(2, "big")] = value = rng.bytes(3)
            table.put(key.to_bytes(2, "big"), value)
        begun, half = table.scan(b"\x01", b"\xff\xff"), len(wanted) // 2
        found = list(islice(begun, half))
        for key in rng.integers(0, 1 << 8, 3).tolist():
            table.put(b"\x00" + bytes([key]), b"passed")
        list(table.scan(b"", b"\x01"))
        found += begun
        assert found == sorted(item for item in wanted.items() if item[0] < b"\xff\xff")
