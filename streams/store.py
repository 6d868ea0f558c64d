"""Where a task's committed state rests: the interface of a store, and the one in memory."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

Changes = Mapping[bytes, bytes | None]
"""What one commit changes: key to new value, `None` where the key is deleted."""


class KeyRange(NamedTuple):
    """The keys from `start` up to, and without, `end`."""

    start: bytes
    end: bytes


class Store(Protocol):
    """An ordered key-value store that changes only by whole commits."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the value of each key, `None` where there is none."""

    def scan(self, keys: KeyRange) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values of a range in the order of the keys, read as they are taken.

        What is left of it when the store is written to is not to be taken.
        """

    def write(self, changes: Changes, dropped: Iterable[KeyRange], offset: int) -> None:
        """Drop the ranges, then make the changes, all or nothing.

        `offset` is the changelog offset the store stands for afterwards: the next to read.
        """

    @property
    def offset(self) -> int | None:
        """The changelog offset the store stands for, `None` when it has never been written."""

    @property
    def size_bytes(self) -> int:
        """Bytes that the store takes on disk."""

    def clear(self) -> None:
        """Empty the store, its offset too."""

    def close(self) -> None:
        """Let go of files and locks."""


class MemoryStore:
    """A store for backtests and tests: a dictionary with its keys kept in order.

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
        self._order: list[bytes] = []
        self._offset: int | None = None

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `Store.get_many`."""
        return [self._values.get(key) for key in keys]

    def scan(self, keys: KeyRange) -> Iterator[tuple[bytes, bytes]]:
        """See `Store.scan`."""
        low, high = bisect_left(self._order, keys.start), bisect_left(self._order, keys.end)
        keys_in_range = (self._order[place] for place in range(low, high))
        return ((key, self._values[key]) for key in keys_in_range)

    def write(self, changes: Changes, dropped: Iterable[KeyRange], offset: int) -> None:
        """See `Store.write`."""
        for keys in dropped:
            low, high = bisect_left(self._order, keys.start), bisect_left(self._order, keys.end)
            for key in self._order[low:high]:
                del self._values[key]
            del self._order[low:high]
        new = [
            key for key, value in changes.items() if value is not None and key not in self._values
        ]
        for key, value in changes.items():
            if value is not None:
                self._values[key] = value
            elif self._values.pop(key, None) is not None:
                del self._order[bisect_left(self._order, key)]
        if len(new) > len(self._order) // 64:
            self._order.extend(new)
            self._order.sort()  # linear on what is sorted already
        else:
            for key in new:
                insort(self._order, key)
        self._offset = offset

    @property
    def offset(self) -> int | None:
        """See `Store.offset`."""
        return self._offset

    @property
    def size_bytes(self) -> int:
        """See `Store.size_bytes`."""
        return 0

    def clear(self) -> None:
        """See `Store.clear`."""
        self._values.clear()
        self._order.clear()
        self._offset = None

    def close(self) -> None:
        """See `Store.close`."""
