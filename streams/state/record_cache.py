"""The hot records of a table in one array, bounded, above the table that holds them all."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streams.layouts.raw_rows import put_rows, rows_at
from streams.layouts.reader import Reader
from streams.state.tables import Table

Slots = npt.NDArray[np.int64]

_FREE = np.iinfo(np.int64).max
"""When a slot that holds no record was used: never is it the oldest."""


class Lookups(NamedTuple):
    """How many records were asked for, and how many of them were not in memory."""

    asked: int
    missed: int


class RecordCache:
    """Fixed-size records by key, the least recently used leaving when the array is full.

    Parameters
    ----------
    table
        Where records come from and go to. What leaves the cache is in the table's changes, so
        that nothing is lost before the commit.
    reader
        Reads its records; one that is zero but for its head is the empty one.
    capacity
        Records held at most, which bounds the memory by `capacity` times their size. A batch
        with more keys than that makes the array grow to hold them.

    Examples
    --------
    >>> from streams.layouts.layout import Record
    >>> from streams.state.store import MemoryStore
    >>> table = Table(MemoryStore(), b"t")
    >>> record = Record("count", np.dtype([("layout", "u8"), ("count", "i8")]))
    >>> cache = RecordCache(table, Reader(record, {}), capacity=2)
    >>> for key in (b"a", b"b", b"c", b"a"):
    ...     slots = cache.slots([key])
    ...     cache.records["count"][slots] += 1
    >>> cache.records["count"][cache.slots([b"a", b"c"])].tolist()
    [2, 1]
    """

    def __init__(self, table: Table, reader: Reader, capacity: int) -> None:
        assert capacity > 0
        self.records: npt.NDArray[np.void] = np.zeros(capacity, reader.record.dtype)
        self._table = table
        self._reader = reader
        self._slot_of: dict[bytes, int] = {}
        self._key_of: list[bytes | None] = [None] * capacity
        self._dirty = np.zeros(capacity, np.bool_)
        self._changed: list[Slots] = []  # the dirty ones, each in the call that made it dirty
        self._used_at = np.full(capacity, _FREE)
        self._clock = 0
        self._free = list(range(capacity - 1, -1, -1))
        self._lookups = Lookups(0, 0)

    def slots(self, keys: Sequence[bytes]) -> Slots:
        """Return where in `records` each key's record is, for changing it in place.

        The slots, and `records` itself, hold until the next call. Every record asked for counts as
        changed.
        """
        self._clock += 1
        slot_of = self._slot_of
        found = [slot_of.get(key, -1) for key in keys]
        slots = np.array(found, np.int64)
        missing = np.flatnonzero(slots < 0)
        self._used_at[slots[slots >= 0]] = self._clock
        asked, missed = self._lookups
        self._lookups = Lookups(asked + len(keys), missed + len(missing))
        if len(missing):
            absent = [keys[i] for i in missing.tolist()]
            self._load(dict.fromkeys(absent))
            slots[missing] = [slot_of[key] for key in absent]
        changed = slots[~self._dirty[slots]]
        if len(changed):
            self._dirty[changed] = True
            self._changed.append(changed)
        return slots

    def take_lookups(self) -> Lookups:
        """Return how many records were asked for since this was last called."""
        lookups, self._lookups = self._lookups, Lookups(0, 0)
        return lookups

    def flush(self) -> None:
        """Put every changed record into the table."""
        if not self._changed:
            return
        changed = np.unique(np.concatenate(self._changed))
        self._put(changed)
        self._dirty[changed] = False
        self._changed.clear()

    def clear(self) -> None:
        """Forget everything, changed or not: the table is asked again."""
        self._slot_of.clear()
        self._key_of = [None] * len(self.records)
        self._dirty[:] = False
        self._changed.clear()
        self._used_at[:] = _FREE
        self._free = list(range(len(self.records) - 1, -1, -1))

    def _load(self, keys: dict[bytes, None]) -> None:
        if len(self._free) < len(keys):
            self._evict(len(keys) - len(self._free))
        if len(self._free) < len(keys):
            self._grow(len(keys) - len(self._free))
        slots = self._free[-len(keys) :]
        del self._free[-len(keys) :]
        stored = self._table.get_many(list(keys))
        put_rows(self.records, np.array(slots), self._reader.record.new(len(slots)))
        found = [slot for slot, value in zip(slots, stored, strict=True) if value is not None]
        if found:
            read = self._reader.rows([value for value in stored if value is not None])
            put_rows(self.records, np.array(found), read)
        self._used_at[slots] = self._clock
        for key, slot in zip(keys, slots, strict=True):
            self._slot_of[key] = slot
            self._key_of[slot] = key

    def _evict(self, needed: int) -> None:
        """Free the slots least recently used, none of this batch, and many: it costs a sort."""
        idle = np.flatnonzero(self._used_at < self._clock)
        wanted = max(needed, len(self.records) // 8)
        oldest = idle[np.argsort(self._used_at[idle], kind="stable")[:wanted]]
        self._put(oldest[self._dirty[oldest]])
        self._dirty[oldest] = False
        self._changed = [np.flatnonzero(self._dirty)]
        self._used_at[oldest] = _FREE
        for slot in oldest.tolist():
            key = self._key_of[slot]
            assert key is not None
            del self._slot_of[key]
            self._key_of[slot] = None
            self._free.append(slot)

    def _grow(self, more: int) -> None:
        first, records = len(self.records), self.records
        self.records = np.zeros(first + more, records.dtype)
        self.records[:first] = records
        self._key_of += [None] * more
        self._dirty = np.concatenate((self._dirty, np.zeros(more, np.bool_)))
        self._used_at = np.concatenate((self._used_at, np.full(more, _FREE)))
        self._free += range(first, first + more)

    def _put(self, slots: Slots) -> None:
        values = self._reader.record.written(rows_at(self.records, slots))
        for slot, value in zip(slots.tolist(), values, strict=True):
            key = self._key_of[slot]
            assert key is not None
            self._table.put(key, value)
