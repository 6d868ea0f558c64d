"""Event-time timers: when kept charges have been silent for long enough, read a little ahead."""

import math
from collections import deque
from collections.abc import Iterator
from struct import Struct

import numpy as np
import numpy.typing as npt

from streams.state.tables import AnyTable

_READ_AHEAD_S = 1.0
"""Stream time by which timers are read ahead: a scan costs most to begin."""

_TIME = Struct(">d")


class Timers:
    """Timers of the charges that become negatives, in the order of event time.

    Parameters
    ----------
    table
        Holds the timers by their time and a hash.

    Examples
    --------
    >>> from streams.state.store import MemoryStore
    >>> from streams.state.tables import Table
    >>> timers = Timers(Table(MemoryStore(), b"d"))
    >>> timers.add(12.0, b"hash-b", b"b")
    >>> timers.add(11.0, b"hash-a", b"a")
    >>> list(timers.take(after=10.0, until=12.0))
    [(11.0, b'a')]
    """

    def __init__(self, table: AnyTable) -> None:
        self._table = table
        self.reload()

    def reload(self) -> None:
        """Forget what was read ahead."""
        self._ahead: deque[tuple[bytes, bytes]] = deque()
        self._ahead_until = -math.inf

    def add(self, at: float, key_hash: bytes, key: bytes) -> None:
        """Set the timer of the charge that is kept under `key`."""
        self._table.put(_time_key(at) + key_hash, key)
        if at < self._ahead_until:
            self.reload()

    def take(self, after: float, until: float) -> Iterator[tuple[float, bytes]]:
        """Take the timers from `after` up to `until`: times, and the keys charges are kept under.

        No earlier call since `reload` may have gone further than `after`.
        """
        if until > self._ahead_until:
            start, self._ahead_until = max(after, self._ahead_until), until + _READ_AHEAD_S
            keys = _time_key(start), _time_key(self._ahead_until)
            self._ahead.extend(self._table.scan(*keys))
        end = _time_key(until)
        while self._ahead and self._ahead[0][0] < end:
            timer_key, key = self._ahead.popleft()
            self._table.delete(timer_key)
            yield time_in(timer_key), key

    def times_before(self, until: float) -> npt.NDArray[np.float64]:
        """Return the times of all timers up to `until`, rising, Unix seconds."""
        times = b"".join([key[: _TIME.size] for key, _ in self._table.scan(b"", _time_key(until))])
        return np.frombuffer(times, ">f8").astype(np.float64)


def _time_key(seconds: float) -> bytes:
    """Give a key that sorts as non-negative times do (their IEEE 754 bits do)."""
    return _TIME.pack(max(seconds, 0.0))


def time_in(timer_key: bytes) -> float:
    """Return the time in a key, Unix seconds."""
    seconds: float = _TIME.unpack_from(timer_key)[0]
    return seconds
