"""Disputes whose charge has not been seen: they wait, for the charge may be late."""

from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
from xxhash import xxh3_64_digest

from streams.state import Table

_HASH_BYTES = 16


class Orphan(NamedTuple):
    """A waiting dispute: its kind, since when it waits (Unix seconds), and its frame's tail."""

    charge: bytes
    kind: int
    since: float
    tail: bytes


class Orphans:
    """The waiting disputes of one task, few enough to be in memory as well.

    Parameters
    ----------
    table
        Where they are kept.
    wait_s
        How long they wait, seconds of stream time.

    Examples
    --------
    >>> from streams.store import MemoryStore
    >>> orphans = Orphans(Table(MemoryStore(), b"o"), wait_s=10.0)
    >>> orphans.add(Orphan(b"charge-hash-of16", 1, 100.0, b"tail"))
    >>> orphans.expired(now=110.0)
    []
    >>> [orphan.since for orphan in orphans.expired(now=110.5)]
    [100.0]
    """

    def __init__(self, table: Table, wait_s: float) -> None:
        self._table = table
        self._wait_s = wait_s
        self._waiting: dict[bytes, dict[bytes, Orphan]] = {}
        self._queue: list[tuple[float, bytes]] = []  # by age, those already claimed among them
        self.reload()

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._waiting.values())

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __contains__(self, charge: bytes) -> bool:
        return charge in self._waiting

    def reload(self) -> None:
        """Read the table again, after its changes were discarded."""
        self._waiting.clear()
        self._queue.clear()
        for key, value in self._table.scan(b"", b"\xff" * 25):
            since = float(np.frombuffer(value[:8], np.float64)[0])
            self._remember(key, Orphan(key[:_HASH_BYTES], value[8], since, value[9:]))

    def add(self, orphan: Orphan) -> None:
        """Let a dispute wait."""
        key = orphan.charge + xxh3_64_digest(orphan.tail)  # a tail names its input
        value = np.float64(orphan.since).tobytes() + bytes([orphan.kind]) + orphan.tail
        self._table.put(key, value)
        self._remember(key, orphan)

    def claim(self, charge: bytes) -> list[Orphan]:
        """Take the disputes that waited for a charge."""
        claimed = self._waiting.pop(charge, {})
        for key in claimed:
            self._table.delete(key)
        return list(claimed.values())

    def expired(self, now: float) -> list[Orphan]:
        """Take the disputes that have waited long enough at stream time `now`."""
        expired: list[Orphan] = []
        while self._queue and self._queue[0][0] + self._wait_s < now:
            _, key = heappop(self._queue)
            waiting = self._waiting.get(key[:_HASH_BYTES], {})
            if key in waiting:  # and not claimed
                expired.append(waiting.pop(key))
                self._table.delete(key)
            if not waiting:
                self._waiting.pop(key[:_HASH_BYTES], None)
        return expired

    def _remember(self, key: bytes, orphan: Orphan) -> None:
        self._waiting.setdefault(orphan.charge, {})[key] = orphan
        heappush(self._queue, (orphan.since, key))
