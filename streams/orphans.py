"""Disputes whose charge has not been seen: they wait, for the charge may be late."""

from typing import NamedTuple

import numpy as np

from streams.state import Table


class Orphan(NamedTuple):
    """A waiting dispute: its kind, when it was made (Unix seconds), and its frame's tail."""

    charge: bytes
    kind: int
    created: float
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
    >>> orphans.add(Orphan(b"charge-hash-of-16", 1, 100.0, b"tail"))
    >>> orphans.expired(now=110.0)
    []
    >>> [orphan.created for orphan in orphans.expired(now=110.5)]
    [100.0]
    """

    def __init__(self, table: Table, wait_s: float) -> None:
        self._table = table
        self._wait_s = wait_s
        self._waiting: dict[bytes, list[Orphan]] = {}
        self.reload()

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._waiting.values())

    def reload(self) -> None:
        """Read the table again, after its changes were discarded."""
        self._waiting.clear()
        for key, value in self._table.scan(b"", b"\xff" * 24):
            created = float(np.frombuffer(value[:8], np.float64)[0])
            self._remember(Orphan(key[:16], key[16], created, value[8:]))

    def add(self, orphan: Orphan) -> None:
        """Let a dispute wait."""
        value = np.float64(orphan.created).tobytes() + orphan.tail
        self._table.put(_key(orphan), value)
        self._remember(orphan)

    def claim(self, charge: bytes) -> list[Orphan]:
        """Take the disputes that waited for a charge."""
        claimed = self._waiting.pop(charge, [])
        for orphan in claimed:
            self._table.delete(_key(orphan))
        return claimed

    def expired(self, now: float) -> list[Orphan]:
        """Take the disputes that have waited long enough at stream time `now`."""
        if not self._waiting:
            return []
        late = [
            charge
            for charge, waiting in self._waiting.items()
            if any(orphan.created + self._wait_s < now for orphan in waiting)
        ]
        return [orphan for charge in late for orphan in self.claim(charge)]

    def _remember(self, orphan: Orphan) -> None:
        same_charge = self._waiting.setdefault(orphan.charge, [])
        same_charge[:] = [other for other in same_charge if other.kind != orphan.kind]
        same_charge.append(orphan)


def _key(orphan: Orphan) -> bytes:
    return orphan.charge + bytes([orphan.kind])
