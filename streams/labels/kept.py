"""The scored charges of a task that are kept, for their labels and the answers to duplicates."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streams.durations import DAY_S
from streams.events.rows import Rows
from streams.labels.pending import big_endian, day_key
from streams.layouts.layout import Record
from streams.state.tables import TaskState

_DAYS_AT_A_TIME = 32
"""Days on which a disputed charge is sought at once, from the latest one back."""


class Kept(NamedTuple):
    """A kept charge: PENDING, and the key it is under."""

    key: bytes
    charge: np.void

    def apart_s(self, time: float) -> float:
        """Return how far from a time it was created, seconds."""
        return abs(float(self.charge["created"]) - time)


class KeptCharges:
    """Keeps scored charges by day and hash until their day is forgotten.

    Parameters
    ----------
    state
        Tables of the task.
    layout
        Of their records, PENDING.
    retention_s
        For how long they are kept, seconds.
    """

    def __init__(self, state: TaskState, layout: Record, retention_s: float) -> None:
        self._table = state.pending
        self._reader = state.reader(layout)
        self._retention_s = retention_s

    def put(self, keys: Sequence[bytes], charges: Rows) -> None:
        """Keep PENDING[N] under N keys, in place of what is there."""
        size, raw = charges.dtype.itemsize, charges.tobytes()
        for i, key in enumerate(keys):
            self._table.put(key, raw[i * size : (i + 1) * size])

    def charge(self, key: bytes) -> Rows:
        """Return the charge that is kept under `key`, PENDING[1]."""
        return self.charges([key])

    def charges(self, keys: Sequence[bytes]) -> Rows:
        """Return PENDING[N], the charges that are kept under N keys."""
        values = [value for value in self._table.get_many(keys) if value is not None]
        assert len(values) == len(keys), "a charge is kept for longer than it is asked for"
        return self._reader.rows(values)

    def is_kept(self, key: bytes, now: float) -> bool:
        """Whether the charge that was kept under `key` still is, at a stream time, Unix seconds.

        It is for the whole day on which it is forgotten, whether a commit has done so or not.
        """
        return key >= self.first_key(now) and self._table.get(key) is not None

    def first_key(self, now: float) -> bytes:
        """Return before which key nothing counts as kept at a stream time, forgotten or not."""
        return day_key(max(0, int((now - self._retention_s) // DAY_S)))

    def between(self, first: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the charges from a key up to, and without, another: their keys, and PENDING."""
        for key, value in self._table.scan(first, end):
            yield key, self._reader.current(value)

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
            self._find_nearest(sought, around, found)
        return found

    def _find_nearest(
        self,
        sought: Sequence[tuple[int, bytes]],
        around: npt.NDArray[np.float64],
        found: list[Kept | None],
    ) -> None:
        """Look keys up for the places in `found` that they are sought for."""
        values = self._table.get_many([key for _, key in sought])
        for (i, key), value in zip(sought, values, strict=True):
            if value is None:
                continue
            kept, best = Kept(key, self._reader.rows([value])[0]), found[i]
            if best is None or kept.apart_s(around[i]) < best.apart_s(around[i]):
                found[i] = kept

    def expire(self, before: float, now: float) -> None:
        """Forget the charges that are too old at a stream time, once that day is a new one.

        From the first day on: late charges, and those that a restore brought back, go too.

        Parameters
        ----------
        before, now
            Stream time when this was last done, and now, Unix seconds.
        """
        today = int((now - self._retention_s) // DAY_S)
        if max(0, int((before - self._retention_s) // DAY_S)) < today:
            self._table.drop(day_key(0), day_key(today))
