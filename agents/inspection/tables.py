"""The tables of a state: what their keys and records are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agents.drift.daily_blocks import BLOCK_LAYOUT
from streams.features import entities
from streams.labels.pending import METHOD_BYTES, PENDING_LAYOUT
from streams.state import tables as state
from streams.state.store import KeyRange

if TYPE_CHECKING:
    from streams.layouts.layout import Record

_HASH, _PERIOD, _TIME, _KIND, _TAIL_HASH, _METHOD = 16, 4, 8, 1, 8, METHOD_BYTES
_ENTITY, _KEY = 4, 8


class Kind(NamedTuple):
    """One table.

    Attributes
    ----------
    name
        As in `TaskState`.
    prefix
        The first byte of its keys.
    record
        What its records are in their present layout, `None` where they have none.
    key_bytes
        Size of its keys behind the prefix, `None` where they have any.
    """

    name: str
    prefix: bytes
    record: Record | None = None
    key_bytes: int | None = None

    @property
    def keys(self) -> KeyRange:
        """The range of its keys."""
        return KeyRange(self.prefix, bytes([self.prefix[0] + 1]))


OF_ENTITIES = tuple(Kind(f"{each.name}s", each.prefix, each.record) for each in entities.ENTITIES)
SHARED = Kind("shared", entities.SHARED.prefix, entities.SHARED.record, _ENTITY + _KEY)
SEEN = Kind("seen", state.SEEN, None, _PERIOD + _HASH)
PENDING = Kind("pending", state.PENDING, PENDING_LAYOUT, _PERIOD + _HASH)
TIMERS = Kind("timers", state.TIMERS, None, _TIME + _HASH)
WAITING = Kind("waiting", state.WAITING, None, _HASH + _TAIL_HASH)
META = Kind("meta", state.META)
DRIFT = Kind("drift", state.DRIFT, BLOCK_LAYOUT, _PERIOD)
DISPUTED = Kind("disputed", state.DISPUTED, None, _PERIOD + _KIND + _HASH)
CHARGES = Kind("charges", state.CHARGES, None, _PERIOD + _HASH)
METHOD_PENDING = Kind(
    "method_pending", state.METHOD_PENDING, PENDING_LAYOUT, _METHOD + _PERIOD + _HASH
)
METHOD_TIMERS = Kind("method_timers", state.METHOD_TIMERS, None, _METHOD + _TIME + _HASH)
METHOD_CHARGES = Kind("method_charges", state.METHOD_CHARGES, None, _METHOD + _PERIOD + _HASH)

GATHERING = Kind("gathering", state.GATHERING)

KINDS = (
    *OF_ENTITIES,
    SEEN,
    PENDING,
    TIMERS,
    WAITING,
    META,
    DRIFT,
    DISPUTED,
    CHARGES,
    SHARED,
    GATHERING,
    METHOD_PENDING,
    METHOD_TIMERS,
    METHOD_CHARGES,
)
