"""The scored charges of a task that are kept, for their labels and the answers to duplicates.

Those of methods of payment with times of their own are apart from all others, each method for
itself: so a whole day of them can be forgotten at once, and none is kept for longer because another
method's charges are. Their keys name the method.
"""

from collections.abc import Iterator, Sequence
from heapq import merge
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streams.durations import DAY_S
from streams.events.rows import Rows
from streams.labels.label_rules import LabelRules
from streams.labels.pending import (
    KEY_BYTES,
    METHOD_BYTES,
    big_endian,
    day_key,
    method_code,
    method_in,
)
from streams.labels.renewal import renew
from streams.layouts.layout import Record
from streams.state.tables import AnyTable, TablePart, TaskState, beginnings

_DAYS_AT_A_TIME = 32
"""Days on which a disputed charge is sought at once, from the latest one back."""


class Kept(NamedTuple):
    """A kept charge: PENDING, and the key it is under."""

    key: bytes
    charge: np.void

    def apart_s(self, time: float) -> float:
        """Return how far from a time it was created, seconds."""
        return abs(float(self.charge["created"]) - time)


class _Shelf(NamedTuple):
    """The charges with the same times, and for how many seconds they are kept."""

    table: AnyTable
    retention_s: float

    def first_day(self, now: float) -> int:
        """Return the first day that is kept at a stream time."""
        return max(0, int((now - self.retention_s) // DAY_S))


class KeptCharges:
    """Keeps scored charges by day and hash until their day is forgotten.

    Parameters
    ----------
    state
        Tables of the task.
    layout
        Of their records, PENDING.
    rules
        For how long they are kept.
    """

    def __init__(self, state: TaskState, layout: Record, rules: LabelRules) -> None:
        self._table = state.pending
        self._of_methods = state.method_pending
        self._reader = state.reader(layout)
        self._rules = rules
        self._shelves = {b"": _Shelf(self._table, rules.retention_s)}
        for method in beginnings(state.method_pending, METHOD_BYTES):
            self._shelf(method)

    def put(self, keys: Sequence[bytes], charges: Rows) -> None:
        """Keep PENDING[N] under N keys, in place of what is there."""
        size, raw = charges.dtype.itemsize, charges.tobytes()
        for i, key in enumerate(keys):
            value = raw[i * size : (i + 1) * size]
            if len(key) == KEY_BYTES:
                self._table.put(key, value)
            else:
                self._shelf(method_in(key)).table.put(key[:KEY_BYTES], value)

    def charge(self, key: bytes) -> Rows:
        """Return the charge that is kept under `key`, PENDING[1]."""
        return self.charges([key])

    def charges(self, keys: Sequence[bytes]) -> Rows:
        """Return PENDING[N], the charges that are kept under N keys."""
        if max(map(len, keys), default=0) > KEY_BYTES:
            found = [self._shelf(method_in(key)).table.get(key[:KEY_BYTES]) for key in keys]
        else:
            found = self._table.get_many(keys)
        values = [value for value in found if value is not None]
        assert len(values) == len(keys), "a charge is kept for longer than it is asked for"
        return self._reader.rows(values)

    def key_of(self, key: bytes, now: float) -> bytes | None:
        """Return the key of a charge with its method, `None` where it is kept no more.

        It is for the whole day on which it is forgotten, whether a commit has done so or not.

        Parameters
        ----------
        key
            Without its method.
        now
            Stream time, Unix seconds.
        """
        for method, shelf in self._shelves.items():
            if key >= day_key(shelf.first_day(now)) and shelf.table.get(key) is not None:
                return key + method
        return None

    def between(self, first: bytes, end: bytes, now: float) -> Iterator[tuple[bytes, bytes]]:
        """Yield what is kept at a stream time from a key up to, and without, another.

        Parameters
        ----------
        first, end
            Without methods.
        now
            Stream time, Unix seconds.

        Yields
        ------
        tuple
            A key, and PENDING; in the order of the keys, whatever the methods.
        """
        found = [
            self._between(method, max(first, day_key(shelf.first_day(now))), end)
            for method, shelf in self._shelves.items()
        ]
        yield from merge(*found) if len(found) > 1 else found[0]

    def _between(self, method: bytes, first: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        for key, value in self._shelf(method).table.scan(first, end):
            yield key + method, self._reader.current(value)

    def find(
        self,
        charges: npt.NDArray[np.uint64],
        around: npt.NDArray[np.float64],
        back_s: float,
        ahead_s: float,
    ) -> list[Kept | None]:
        """Find kept charges by their hash; of several, the one that is nearest in time.

        Parameters
        ----------
        charges
            u8[N, 2] charge hashes.
        around
            f8[N] times near which the charges were created, Unix seconds.
        back_s, ahead_s
            How far from that time to look, seconds.

        Returns
        -------
        list
            N findings, `None` where nothing is kept.
        """
        hashes = big_endian(charges)
        days = [
            range(int((time + ahead_s) // DAY_S), max(0, int((time - back_s) // DAY_S)) - 1, -1)
            for time in around.tolist()
        ]
        longest = max(map(len, days), default=1)
        # Back alone, whatever is found is nearer than all on the days before.
        at_a_time = _DAYS_AT_A_TIME if ahead_s == 0.0 else longest
        found: list[Kept | None] = [None] * len(charges)
        for start in range(0, longest, at_a_time):
            sought = [
                (i, day_key(day) + hashes[i])
                for i, kept in enumerate(found)
                if kept is None
                for day in days[i][start : start + at_a_time]
            ]
            for method in self._shelves:
                self._find_nearest(method, sought, around, found)
        return found

    def _find_nearest(
        self,
        method: bytes,
        sought: Sequence[tuple[int, bytes]],
        around: npt.NDArray[np.float64],
        found: list[Kept | None],
    ) -> None:
        """Look keys up for the places in `found` that they are sought for."""
        values = self._shelf(method).table.get_many([key for _, key in sought])
        for (i, key), value in zip(sought, values, strict=True):
            if value is None:
                continue
            kept, best = Kept(key + method, self._reader.rows([value])[0]), found[i]
            if best is None or kept.apart_s(around[i]) < best.apart_s(around[i]):
                found[i] = kept

    def expire(self, before: float, now: float) -> None:
        """Forget the charges that are too old at a stream time, once that day is a new one.

        From the first day on: late charges, and those that a restore brought back, go too. What is
        kept for long is renewed.

        Parameters
        ----------
        before, now
            Stream time when this was last done, and now, Unix seconds.
        """
        for shelf in self._shelves.values():
            today = shelf.first_day(now)
            if shelf.first_day(before) < today:
                shelf.table.drop(day_key(0), day_key(today))
        for method, shelf in self._shelves.items():
            if method:
                renew(shelf.table, DAY_S, shelf.retention_s, before, now)

    def _shelf(self, method: bytes) -> _Shelf:
        """Return the charges of a method, by what stands behind their keys."""
        if method not in self._shelves:
            retention_s = self._rules.times(method_code(method)).retention_s
            self._shelves[method] = _Shelf(TablePart(self._of_methods, method), retention_s)
        return self._shelves[method]
