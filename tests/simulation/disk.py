"""The disk of a simulated worker: what it wrote stays when the process is killed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from streams.state.store import Changes, KeyRange, MemoryStore, StoreFigures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from random import Random

    from tests.simulation.scheduling import Process

logger = logging.getLogger(__name__)

EVERYTHING = KeyRange(b"", b"\xff" * 64)
_AHEAD = 1000
_DAMAGED_SHARE = 0.3


class Disk:
    """The stores of one worker by task; at most one process has each open."""

    def __init__(self) -> None:
        self.stores: dict[int, MemoryStore] = {}
        self.older: dict[int, MemoryStore] = {}
        """What a store has been some commits ago."""
        self._holders: dict[int, tuple[Process, OpenStore]] = {}

    def open(self, number: int, process: Process) -> OpenStore:
        """Open the store of a task."""
        holder = self._holders.get(number)
        assert holder is None or holder[0].is_dead or holder[1].is_closed, "opened twice"
        store = OpenStore(self.stores.setdefault(number, MemoryStore()), process)
        self._holders[number] = (process, store)
        return store

    def draw_damage(self, random: Random) -> None:
        """Have a process find its stores as they were left, mostly."""
        if self.stores and random.random() < _DAMAGED_SHARE:
            damage = random.choice((self.delete, self.return_to_older, self.run_ahead))
            logger.info("a disk is damaged: %s", damage.__name__)
            damage()

    def keep_older(self) -> None:
        """Remember the stores as they are now."""
        self.older = {number: copy_of(store) for number, store in self.stores.items()}

    def delete(self) -> None:
        """Lose everything."""
        self.stores.clear()

    def return_to_older(self) -> None:
        """Lose what was written lately, as after a power cut."""
        self.stores = {number: copy_of(store) for number, store in self.older.items()}

    def run_ahead(self) -> None:
        """Claim to know more than any changelog has, as from another cluster."""
        for store in self.stores.values():
            if store.offset is not None:
                store.write({b"\x01nobody": b"knows"}, [], store.offset + _AHEAD)


class OpenStore:
    """A store as a process has it open; see `streams.state.store.Store`."""

    def __init__(self, store: MemoryStore, process: Process) -> None:
        self.is_closed = False
        self._store = store
        self._process = process

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        assert not self.is_closed
        return self._store.get_many(keys)

    def scan(self, keys: KeyRange) -> Iterator[tuple[bytes, bytes]]:
        assert not self.is_closed
        return self._store.scan(keys)

    def write(self, changes: Changes, dropped: Iterable[KeyRange], offset: int) -> None:
        assert not self.is_closed
        self._process.step("before store write")
        self._store.write(changes, dropped, offset)
        self._process.step("after store write")

    @property
    def offset(self) -> int | None:
        assert not self.is_closed
        return self._store.offset

    def figures(self) -> StoreFigures:
        return StoreFigures()

    def clear(self) -> None:
        assert not self.is_closed
        self._process.step("clear store")
        self._store.clear()

    def close(self) -> None:
        self.is_closed = True


def copy_of(store: MemoryStore) -> MemoryStore:
    """Return a store of its own with the same contents."""
    copy = MemoryStore()
    if store.offset is not None:
        copy.write(dict(store.scan(EVERYTHING)), [], store.offset)
    return copy
