"""Where a task's committed state rests: the interface of a store, and the one in memory."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, filterfalse
from typing import NamedTuple, Protocol

Changes = Mapping[bytes, bytes | None]
"""What one commit changes: key to new value, `None` where the key is deleted."""


class KeyRange(NamedTuple):
    """The keys from `start` up to, and without, `end`."""

    start: bytes
    end: bytes


class StoreFigures(NamedTuple):
    """How large a store on disk is, and how it keeps up; all 0 of one that is in memory.

    Attributes
    ----------
    disk_bytes
        Of its table files.
    memtable_bytes
        Of what was written and is in no file yet.
    cache_bytes
        Of blocks of files, indexes and filters that are in memory.
    records
        About how many there are.
    compaction_bytes
        About how much is yet to be rewritten, so that files are as few as they should be.
    is_stopped
        1 while writes wait for that, else 0.
    """

    disk_bytes: int = 0
    memtable_bytes: int = 0
    cache_bytes: int = 0
    records: int = 0
    compaction_bytes: int = 0
    is_stopped: int = 0


class Readable(Protocol):
    """An ordered key-value store as it is read."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the value of each key, `None` where there is none."""

    def scan(self, keys: KeyRange) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values of a range in the order of the keys, read as they are taken.

        What is left of it when the store is written to is not to be taken.
        """


class Store(Readable, Protocol):
    """An ordered key-value store that changes only by whole commits."""

    def write(self, changes: Changes, dropped: Iterable[KeyRange], offset: int) -> None:
        """Drop the ranges, then make the changes, all or nothing.

        `offset` is the changelog offset the store stands for afterwards: the next to read.
        """

    @property
    def offset(self) -> int | None:
        """The changelog offset the store stands for, `None` when it has never been written."""

    def figures(self) -> StoreFigures:
        """Return how large the store is, and how it keeps up."""

    def clear(self) -> None:
        """Empty the store, its offset too."""

    def close(self) -> None:
        """Let go of files and locks."""


class MemoryStore:
    """A store for backtests and tests: a dictionary, and the keys of each table.

    The first byte of a key tells its table, as in `streams.state.tables`. Most tables are never
    scanned, so the keys of one are put in order when it is.

    Examples
    --------
    >>> store = MemoryStore()
    >>> store.write({b"a1": b"x", b"a2": b"y", b"b1": b"z"}, [], offset=3)
    >>> list(store.scan(KeyRange(b"a", b"b")))
    [(b'a1', b'x'), (b'a2', b'y')]
    >>> store.write({b"b1": None}, [KeyRange(b"a", b"a2")], offset=5)
    >>> store.get_many([b"a1", b"a2", b"b1"]), store.offset
    ([None, b'y', None], 5)
    """

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._tables: defaultdict[bytes, _Keys] = defaultdict(_Keys)
        self._offset: int | None = None

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `Store.get_many`."""
        return list(map(self._values.get, keys))

    def scan(self, keys: KeyRange) -> Iterator[tuple[bytes, bytes]]:
        """See `Store.scan`."""
        for table in sorted(self._tables):
            if keys.start[:1] <= table <= keys.end[:1]:
                for key in self._tables[table].within(keys):
                    yield key, self._values[key]

    def write(self, changes: Changes, dropped: Iterable[KeyRange], offset: int) -> None:
        """See `Store.write`."""
        gone = [key for keys in dropped for key, _ in self.scan(keys)]
        for key, value in chain(((key, None) for key in gone), changes.items()):
            if value is None:
                if self._values.pop(key, None) is not None:
                    self._tables[key[:1]].remove(key)
            else:
                if key not in self._values:
                    self._tables[key[:1]].add(key)
                self._values[key] = value
        self._offset = offset

    @property
    def offset(self) -> int | None:
        """See `Store.offset`."""
        return self._offset

    def figures(self) -> StoreFigures:
        """See `Store.figures`."""
        return StoreFigures()

    def clear(self) -> None:
        """See `Store.clear`."""
        self._values.clear()
        self._tables.clear()
        self._offset = None

    def close(self) -> None:
        """See `Store.close`."""


class _Keys:
    """The keys of one table, cheap to add to and to remove from, in order when they are scanned."""

    def __init__(self) -> None:
        self._order: list[bytes] = []
        self._new: list[bytes] = []  # not in order yet
        self._gone: set[bytes] = set()  # still among the others

    def add(self, key: bytes) -> None:
        """Add a key that is not there."""
        if key in self._gone:
            self._gone.remove(key)
        else:
            self._new.append(key)

    def remove(self, key: bytes) -> None:
        """Remove a key that is there."""
        self._gone.add(key)

    def within(self, keys: KeyRange) -> Iterator[bytes]:
        """Yield the keys of a range in their order."""
        self._put_in_order()
        places = range(bisect_left(self._order, keys.start), bisect_left(self._order, keys.end))
        return filterfalse(self._gone.__contains__, map(self._order.__getitem__, places))

    def _put_in_order(self) -> None:
        """Sort from the first new key on: what is written is mostly of the newest time."""
        if self._new:
            first = bisect_left(self._order, min(self._new))
            self._order[first:] = sorted([*self._order[first:], *self._new])
            self._new.clear()
        if len(self._gone) > len(self._order) // 2:
            self._order = [key for key in self._order if key not in self._gone]
            self._gone.clear()
