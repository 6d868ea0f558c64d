"""The hot records of a table in one array, bounded, above the table that holds them all."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streams.state import Table

Slots = npt.NDArray[np.int64]


class RecordCache:
    """Fixed-size records by key, the least recently used leaving when the array is full.

    Parameters
    ----------
    table
        Where records come from and go to. What leaves the cache is in the table's changes, so
        that nothing is lost before the commit.
    dtype
        Structured type of a record; an all-zero record is the empty one.
    capacity
        Records held at most, which bounds the memory: `capacity * dtype.itemsize` bytes.

    Examples
    --------
    >>> from streams.store import MemoryStore
    >>> table = Table(MemoryStore(), b"t")
    >>> cache = RecordCache(table, np.dtype([("count", "i8")]), capacity=2)
    >>> for key in (b"a", b"b", b"c", b"a"):
    ...     slots = cache.slots([key])
    ...     cache.records["count"][slots] += 1
    >>> cache.records["count"][cache.slots([b"a", b"c"])].tolist()
    [2, 1]
    """

    def __init__(self, table: Table, dtype: np.dtype[np.void], capacity: int) -> None:
        assert capacity > 0
        self.records: npt.NDArray[np.void] = np.zeros(capacity, dtype)
        self._table = table
        self._slot_of: dict[bytes, int] = {}
        self._key_of: list[bytes | None] = [None] * capacity
        self._dirty = np.zeros(capacity, np.bool_)
        self._used_at = np.zeros(capacity, np.int64)
        self._clock = 0
        self._free = list(range(capacity - 1, -1, -1))

    @property
    def capacity(self) -> int:
        """Records held at most, and distinct keys a batch may have."""
        return len(self._key_of)

    def slots(self, keys: Sequence[bytes]) -> Slots:
        """Return where each key's record is, for changing it in place.

        The slots hold until the next call. Every record asked for counts as changed.
        """
        self._clock += 1
        slot_of = self._slot_of
        found = [slot_of.get(key, -1) for key in keys]
        slots = np.array(found, np.int64)
        missing = np.flatnonzero(slots < 0)
        self._used_at[slots[slots >= 0]] = self._clock
        if len(missing):
            absent = [keys[i] for i in missing.tolist()]
            self._load(dict.fromkeys(absent))
            slots[missing] = [slot_of[key] for key in absent]
        self._dirty[slots] = True
        return slots

    def flush(self) -> None:
        """Put every changed record into the table."""
        changed = np.flatnonzero(self._dirty)
        self._put(changed)
        self._dirty[changed] = False

    def clear(self) -> None:
        """Forget everything, changed or not: the table is asked again."""
        self._slot_of.clear()
        self._key_of = [None] * self.capacity
        self._dirty[:] = False
        self._free = list(range(self.capacity - 1, -1, -1))

    def _load(self, keys: dict[bytes, None]) -> None:
        if len(self._free) < len(keys):
            self._evict(len(keys) - len(self._free))
        stored = self._table.get_many(list(keys))
        slots = self._free[-len(keys) :]
        del self._free[-len(keys) :]
        self.records[slots] = np.zeros((), self.records.dtype)
        for key, value, slot in zip(keys, stored, slots, strict=True):
            self._slot_of[key] = slot
            self._key_of[slot] = key
            if value is not None:
                self.records[slot] = np.frombuffer(value, self.records.dtype)[0]
        self._used_at[slots] = self._clock

    def _evict(self, needed: int) -> None:
        idle = np.flatnonzero(self._used_at < self._clock)
        idle = idle[[self._key_of[slot] is not None for slot in idle]]
        assert len(idle) >= needed, "a batch has more keys than the cache has records"
        wanted = min(
            len(idle), max(needed, self.capacity // 8)
        )  # a few at a time costs a sort each
        oldest = idle[np.argsort(self._used_at[idle], kind="stable")[:wanted]]
        self._put(oldest[self._dirty[oldest]])
        self._dirty[oldest] = False
        for slot in oldest.tolist():
            key = self._key_of[slot]
            assert key is not None
            del self._slot_of[key]
            self._key_of[slot] = None
            self._free.append(slot)

    def _put(self, slots: Slots) -> None:
        size = self.records.dtype.itemsize
        raw = self.records[slots].tobytes()
        for i, slot in enumerate(slots.tolist()):
            key = self._key_of[slot]
            assert key is not None
            self._table.put(key, raw[i * size : (i + 1) * size])
