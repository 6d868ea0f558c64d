"""Disputes that wait: for their charge, which may be late, or for their own time.

Their order to charges is nobody's promise, since they come from another topic::

    dispute ........ charge             waits for the charge, which has not come yet
    charge ... dispute .... charges     waits until charges have reached its own time
"""

from collections.abc import KeysView
from heapq import heappop, heappush
from struct import Struct
from typing import NamedTuple

from xxhash import xxh3_64_digest

from streams.labels.charge_index import KnownCharge
from streams.state.tables import Table

_HASH_BYTES = 16
_HEAD = Struct("<ddBBd")  # created, since, kind, whether the charge is known, when it was made
_KEY_BYTES = Struct("<II")  # of the card, and of the charge's merchant
WAITING_LAYOUT = (_HEAD.format, _KEY_BYTES.format)


class Waiting(NamedTuple):
    """A waiting dispute.

    Attributes
    ----------
    charge
        Hash of its charge.
    card
        Key of its card.
    kind
        As in EVENT.
    created
        When it was made, Unix seconds.
    since
        From when on its charge is waited for, Unix seconds of event time.
    known
        Its charge, `None` where that has not come.
    tail
        Tail of its frame, which names its input.
    """

    charge: bytes
    card: bytes
    kind: int
    created: float
    since: float
    known: KnownCharge | None
    tail: bytes


class WaitingDisputes:
    """The waiting disputes of one task, few enough to be in memory as well.

    Parameters
    ----------
    table
        Where they are kept.
    wait_s
        How long a charge is waited for, seconds by which charges have to pass the dispute.
    retention_s
        How much newer a dispute has to be for one that waits for its charge to be given up, in a
        partition that has no charges, seconds.

    Examples
    --------
    >>> from streams.state.store import MemoryStore
    >>> waiting = WaitingDisputes(Table(MemoryStore(), b"o"), wait_s=10.0, retention_s=1e6)
    >>> waiting.add(Waiting(b"charge-hash-of16", b"card", 1, 100.0, 100.0, None, b"tail"))
    >>> waiting.expired(now=110.0, newest_dispute=100.0)
    []
    >>> [dispute.since for dispute in waiting.expired(now=110.5, newest_dispute=100.0)]
    [100.0]
    """

    def __init__(self, table: Table, wait_s: float, retention_s: float) -> None:
        self._table = table
        self._wait_s = wait_s
        self._retention_s = retention_s
        self._for_charge: dict[bytes, dict[bytes, Waiting]] = {}
        self._for_time: dict[bytes, Waiting] = {}
        self._ages: list[tuple[float, bytes]] = []  # of those for a charge, gone ones among them
        self._times: list[tuple[float, bytes]] = []  # of those for their time
        self.reload()

    def __bool__(self) -> bool:
        return bool(self._for_charge or self._for_time)

    @property
    def for_charge(self) -> int:
        """How many wait for their charge."""
        return sum(map(len, self._for_charge.values()))

    @property
    def for_time(self) -> int:
        """How many wait for their time."""
        return len(self._for_time)

    @property
    def charges(self) -> KeysView[bytes]:
        """The hashes of the charges that are waited for."""
        return self._for_charge.keys()

    def reload(self) -> None:
        """Read the table again, after its changes were discarded."""
        for kept in (self._for_charge, self._for_time, self._ages, self._times):
            kept.clear()
        for key, value in self._table.scan(b"", b"\xff" * (_HASH_BYTES + 9)):
            self._remember(key, decode_waiting(key[:_HASH_BYTES], value))

    def add(self, dispute: Waiting) -> None:
        """Let a dispute wait: for its charge, or if this is known for its time."""
        key = dispute.charge + xxh3_64_digest(dispute.tail)  # a tail names its input
        self._table.put(key, _encoded(dispute))
        self._remember(key, dispute)

    def claim(self, charge: bytes) -> list[Waiting]:
        """Take the disputes that waited for a charge."""
        claimed = self._for_charge.pop(charge, {})
        for key in claimed:
            self._table.delete(key)
        return list(claimed.values())

    def due(self, now: float) -> list[Waiting]:
        """Take the disputes whose time has come, the oldest first."""
        due: list[Waiting] = []
        while self._times and self._times[0][0] <= now:
            _, key = heappop(self._times)
            due.append(self._for_time.pop(key))
            self._table.delete(key)
        return due

    def expired(self, now: float, newest_dispute: float) -> list[Waiting]:
        """Take the disputes that charges, at `now`, have passed by the wait.

        And in a partition whose charges have ended, those that disputes have left far behind.
        """
        too_old = max(now - self._wait_s, newest_dispute - self._retention_s)
        expired: list[Waiting] = []
        while self._ages and self._ages[0][0] < too_old:
            _, key = heappop(self._ages)
            same_charge = self._for_charge.get(key[:_HASH_BYTES], {})
            if key in same_charge:  # and not claimed
                expired.append(same_charge.pop(key))
                self._table.delete(key)
            if not same_charge:
                self._for_charge.pop(key[:_HASH_BYTES], None)
        return expired

    def _remember(self, key: bytes, dispute: Waiting) -> None:
        if dispute.known is None:
            self._for_charge.setdefault(dispute.charge, {})[key] = dispute
            heappush(self._ages, (dispute.since, key))
        else:
            self._for_time[key] = dispute
            heappush(self._times, (dispute.created, key))


def _encoded(dispute: Waiting) -> bytes:
    known = dispute.known or KnownCharge(0.0, b"")  # its method is asked for no more
    created, merchant = known.created, known.merchant
    is_known = dispute.known is not None
    head = _HEAD.pack(dispute.created, dispute.since, dispute.kind, is_known, created)
    key_bytes = _KEY_BYTES.pack(len(dispute.card), len(merchant))
    return b"".join([head, key_bytes, dispute.card, merchant, dispute.tail])


def decode_waiting(charge: bytes, value: bytes) -> Waiting:
    """Return the dispute of a charge, as the table has it."""
    created, since, kind, is_known, charged_at = _HEAD.unpack_from(value)
    card_bytes, merchant_bytes = _KEY_BYTES.unpack_from(value, _HEAD.size)
    card_at = _HEAD.size + _KEY_BYTES.size
    merchant_at = card_at + card_bytes
    tail_at = merchant_at + merchant_bytes
    known = KnownCharge(charged_at, value[merchant_at:tail_at]) if is_known else None
    card, tail = value[card_at:merchant_at], value[tail_at:]
    return Waiting(charge, card, kind, created, since, known, tail)
