"""When kept charges have been silent for long enough: by their times, read a little ahead."""

import math
from collections import deque
from collections.abc import Iterator
from struct import Struct

import numpy as np
import numpy.typing as npt

from streams.state.tables import Table

_READ_AHEAD_S = 1.0
"""Stream time for which due charges are read before they are due: a scan costs most to begin."""

_TIME = Struct(">d")


class Due:
    """The charges that become negatives when their time has come, in its order.

    Parameters
    ----------
    table
        Where they are, by the time and a hash.

    Examples
    --------
    >>> from streams.state.store import MemoryStore
    >>> due = Due(Table(MemoryStore(), b"d"))
    >>> due.add(12.0, b"hash-b", b"b")
    >>> due.add(11.0, b"hash-a", b"a")
    >>> list(due.take(after=10.0, until=12.0))
    [(11.0, b'a')]
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self.reload()

    def reload(self) -> None:
        """Forget what was read ahead."""
        self._ahead: deque[tuple[bytes, bytes]] = deque()
        self._ahead_until = -math.inf

    def add(self, due_at: float, key_hash: bytes, key: bytes) -> None:
        """Have the charge that is kept under `key` taken at its time."""
        self._table.put(_time_key(due_at) + key_hash, key)
        if due_at < self._ahead_until:
            self.reload()

    def take(self, after: float, until: float) -> Iterator[tuple[float, bytes]]:
        """Take the charges due from `after` up to `until`: times, and the keys they are kept under.

        No earlier call since `reload` may have gone further than `after`.
        """
        if until > self._ahead_until:
            start, self._ahead_until = max(after, self._ahead_until), until + _READ_AHEAD_S
            keys = _time_key(start), _time_key(self._ahead_until)
            self._ahead.extend(self._table.scan(*keys))
        end = _time_key(until)
        while self._ahead and self._ahead[0][0] < end:
            due_key, key = self._ahead.popleft()
            self._table.delete(due_key)
            yield time_in(due_key), key


def due_before(table: Table, until: float) -> npt.NDArray[np.float64]:
    """Return the times at which charges of a table are due up to `until`, rising, Unix seconds."""
    times = b"".join([key[: _TIME.size] for key, _ in table.scan(b"", _time_key(until))])
    return np.frombuffer(times, ">f8").astype(np.float64)


def _time_key(seconds: float) -> bytes:
    """Give a key that sorts as non-negative times do (their IEEE 754 bits do)."""
    return _TIME.pack(max(seconds, 0.0))


def time_in(due_key: bytes) -> float:
    """Return the time in a key, Unix seconds."""
    seconds: float = _TIME.unpack_from(due_key)[0]
    return seconds
