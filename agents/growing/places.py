"""In which tasks the records of a state belong, when the partitions become more.

How that is known depends on the table::

    own key      cards, merchants, shared entities, waiting    the partition of its card, merchant
                                                               or entity
    of merchant  kept charges and their timers                 that of the merchant which the index
                                                               has of the charge
    copied       ids that were seen, the index                 every task that may have the card

What is copied is known by a hash of the card and the charge alone. It is asked for by nothing else,
so in a task that does not have the card it is never found; it goes when its time is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from streams.features.entities import CARDS, MERCHANTS, SHARED
from streams.kafka.partitioner import partitions_of
from streams.labels.charge_index import decode_known, index_key
from streams.labels.pending import KEY_BYTES, METHOD_BYTES, method_in
from streams.labels.waiting import decode_waiting
from streams.state.store import KeyRange
from streams.state.tables import (
    CHARGES,
    DISPUTED,
    METHOD_CHARGES,
    METHOD_PENDING,
    METHOD_TIMERS,
    PENDING,
    SEEN,
    TIMERS,
    WAITING,
)
from streams.wire.entity_events import entity_partitions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from streams.state.store import Readable

    Places = NDArray[np.int64]

Item = tuple[bytes, bytes]
"""A key, with the first byte that tells its table, and its value."""

_CHARGE_BYTES: Final = 16
_SHARED_KEY: Final = np.dtype([("table", "u1"), ("entity", ">u4"), ("key", ">u8")])

NOWHERE: Final = -1
"""The task of a charge that no index knows: it stays where it is."""


class Growth(NamedTuple):
    """From how many partitions to how many."""

    before: int
    after: int

    def relatives(self, task: int) -> range:
        """Return the tasks between which keys may be exchanged, one of which a task is.

        >>> list(Growth(4, 8).relatives(5)), list(Growth(2, 3).relatives(0))
        ([1, 5], [0, 1, 2])
        """
        apart = gcd(self.before, self.after)
        return range(task % apart, self.after, apart)


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A table whose records are known by what decides on the task.

    Attributes
    ----------
    name
        As in `TaskState`.
    prefix
        The first byte of its keys.
    keys
        Returns what the partition is the hash of.
    """

    name: str
    prefix: bytes
    keys: Callable[[Sequence[Item]], list[bytes]]

    def places(
        self, items: Sequence[Item], _: Sequence[Readable], growth: Growth
    ) -> tuple[Places, Places]:
        """Return the task of each of N records before and after, i8[N]."""
        keys = self.keys(items)
        return partitions_of(keys, growth.before), partitions_of(keys, growth.after)


@dataclass(frozen=True, slots=True)
class Shared:
    """The table of shared entities, whose keys are hashes already."""

    name: str = "shared"
    prefix: bytes = SHARED.prefix

    def places(
        self, items: Sequence[Item], _: Sequence[Readable], growth: Growth
    ) -> tuple[Places, Places]:
        """Return the task of each of N records before and after, i8[N]."""
        keys = np.frombuffer(b"".join([key for key, _ in items]), _SHARED_KEY)
        entities, numbers = keys["entity"].astype(np.uint32), keys["key"].astype(np.uint64)
        before, after = (entity_partitions(entities, numbers, count) for count in growth)
        return before, after


@dataclass(frozen=True, slots=True)
class OfMerchant:
    """A table of charges that are in the task of their merchant.

    Attributes
    ----------
    name, prefix
        As those of `OwnKey`.
    index
        The table of the index of these charges.
    kept
        Returns under which keys they are kept.
    """

    name: str
    prefix: bytes
    index: bytes
    kept: Callable[[Sequence[Item]], list[bytes]]

    def places(
        self, items: Sequence[Item], stores: Sequence[Readable], growth: Growth
    ) -> tuple[Places, Places]:
        """Return the task of each of N records before and after, i8[N].

        A charge that no index knows is `NOWHERE`.
        """
        found = self._merchants(items, stores)
        is_known = np.array([merchant is not None for merchant in found], np.bool_)
        known = [merchant for merchant in found if merchant is not None]
        before, after = np.full((2, len(items)), NOWHERE)
        before[is_known] = partitions_of(known, growth.before)
        after[is_known] = partitions_of(known, growth.after)
        return before, after

    def _merchants(self, items: Sequence[Item], stores: Sequence[Readable]) -> list[bytes | None]:
        """Return the merchant of each charge, as the first index has it that knows the charge."""
        sought = [
            self.index + method_in(kept) + index_key(kept[:KEY_BYTES]) for kept in self.kept(items)
        ]
        found: list[bytes | None] = [None] * len(sought)
        left = list(range(len(sought)))
        for store in stores:
            if not left:
                break
            for place, value in zip(left, store.get_many([sought[i] for i in left]), strict=True):
                found[place] = value if value is None else decode_known(value).merchant
            left = [place for place in left if found[place] is None]
        return found


@dataclass(frozen=True, slots=True)
class Copied:
    """A table whose records are known by a hash alone.

    Attributes
    ----------
    name, prefix
        As those of `OwnKey`.
    weight
        Of two values of a key the one that weighs more is the newer.
    """

    name: str
    prefix: bytes
    weight: Callable[[bytes], float]


Moved = OwnKey | Shared | OfMerchant


def _own(items: Sequence[Item]) -> list[bytes]:
    return [key[1:] for key, _ in items]


def _cards_waiting(items: Sequence[Item]) -> list[bytes]:
    return [decode_waiting(key[1 : 1 + _CHARGE_BYTES], value).card for key, value in items]


def _kept(items: Sequence[Item]) -> list[bytes]:
    return [key[1:] for key, _ in items]


def _kept_of_methods(items: Sequence[Item]) -> list[bytes]:
    return [key[1 + METHOD_BYTES :] + key[1 : 1 + METHOD_BYTES] for key, _ in items]


def _timed(items: Sequence[Item]) -> list[bytes]:
    return [value for _, value in items]


def _made_at(value: bytes) -> float:
    return decode_known(value).created


OF_CARDS: Final = OwnKey("cards", CARDS.prefix, _own)

MOVED: Final[tuple[Moved, ...]] = (
    OF_CARDS,
    OwnKey("merchants", MERCHANTS.prefix, _own),
    Shared(),
    OwnKey("waiting", WAITING, _cards_waiting),
    OfMerchant("pending", PENDING, CHARGES, _kept),
    OfMerchant("timers", TIMERS, CHARGES, _timed),
    OfMerchant("method_pending", METHOD_PENDING, METHOD_CHARGES, _kept_of_methods),
    OfMerchant("method_timers", METHOD_TIMERS, METHOD_CHARGES, _timed),
)
"""The tables whose records are in one task each."""

COPIED: Final = (
    Copied("seen", SEEN, len),
    Copied("disputed", DISPUTED, len),
    Copied("charges", CHARGES, _made_at),
    Copied("method_charges", METHOD_CHARGES, _made_at),
)
"""Those whose records may be in several."""


def range_of(prefix: bytes) -> KeyRange:
    """Return the range of the keys of a table."""
    return KeyRange(prefix, bytes([prefix[0] + 1]))
