"""Duplicates: charges that a producer has sent again, known by ids that their card has counted.

The record remembers the ids of its latest charges. An id that is pushed out while duplicates of it
may still come is handed to the caller, which keeps it elsewhere: so no duplicate is ever counted,
and the record stays small.

A charge of a known id is a duplicate if both are made at most a window apart, and if the card's
clock has moved no more than a window and `AHEAD_S` since the first came: as much as a clock that is
ahead may move it too early.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streams.compiled import compiled
from streams.features.card_record import LATEST_CHARGES
from streams.features.windows import AHEAD_S

EVICTED = np.dtype(
    [("slot", "i8"), ("charge", "u8", (2,)), ("created", "f8"), ("came", "f8")], align=True
)
"""A charge id that a record's short memory had to give up although duplicates may still come.

It came when the card's clock stood at `came`.
"""


@compiled
def last_clock(came_s: float, window_s: float) -> float:
    """Give up to which clock duplicates of an id that came at one may come."""
    return came_s + window_s + AHEAD_S


@compiled
def is_duplicate(record: Any, event: Any, window_s: float) -> bool:
    """Whether the card's latest charges have this one's id."""
    now = max(record.clock_s, event.created)
    for place in range(min(record.charges, LATEST_CHARGES)):
        if (
            record.charge_ids[place, 0] == event.charge[0]
            and record.charge_ids[place, 1] == event.charge[1]
            and abs(record.charge_created[place] - event.created) <= window_s
            and last_clock(record.charge_clock[place], window_s) >= now
        ):
            return True
    return False


@compiled
def was_evicted(
    record: Any, evicted: Any, evictions: int, slot: int, event: Any, window_s: float
) -> bool:
    """Whether the id was evicted earlier in this batch, when the caller could not know it yet."""
    now = max(record.clock_s, event.created)
    for i in range(evictions):
        entry = evicted[i]
        if (
            entry.slot == slot
            and entry.charge[0] == event.charge[0]
            and entry.charge[1] == event.charge[1]
            and abs(entry.created - event.created) <= window_s
            and last_clock(entry.came, window_s) >= now
        ):
            return True
    return False


@compiled
def remember_id(
    record: Any, event: Any, slot: int, window_s: float, evicted: Any, evictions: int
) -> int:
    """Remember a charge's id in place of the oldest; tell whether that one had to be evicted.

    Its duplicates may come for a time that begins when it came, which for a late charge is later
    than its own time.
    """
    now = max(record.clock_s, event.created)
    place = record.charges % LATEST_CHARGES
    evict = (
        record.charges >= LATEST_CHARGES and last_clock(record.charge_clock[place], window_s) >= now
    )
    if evict:
        entry = evicted[evictions]
        entry.slot = slot
        entry.charge[:] = record.charge_ids[place]
        entry.created = record.charge_created[place]
        entry.came = record.charge_clock[place]
        record.overflow_until = max(record.overflow_until, last_clock(entry.came, window_s))
    record.charge_ids[place] = event.charge
    record.charge_created[place] = event.created
    record.charge_clock[place] = now
    return 1 if evict else 0
