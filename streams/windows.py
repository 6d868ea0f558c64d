"""Sliding windows as rings of tiles: counts and sums over the last 10 minutes to 30 days.

A window is a ring of tiles of fixed length; an event goes to the tile of its own time, and the
window's total is the sum of the ring. The ring has one slot more than the window has tiles, for
the tile that is running. The window of 1 hour in tiles of 10 minutes, with the clock at 12:34::

    11:20   11:30   11:40   11:50   12:00   12:10   12:20   12:30   12:40
      |       |       |       |       |       |       |       |       |
      | gone  |#######|#######|#######|#######|#######|#######|###    |
                 |<---------------- 1 hour ----------------->|
              |<- counted: the oldest tile whole ----------->|
                                                           clock

So a window covers its length and up to one tile more, never less. The clock of a record is the
time of its newest charge; it never moves back. A late charge goes to its own tile while that still
exists, and is not counted in windows whose tiles it has missed. Sums are of single precision: right
to 1e-5 with a million charges in a tile, 1% low with ten million.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from streams.compiled import compiled

DAY_S = 86400.0
UINT32_MAX = 2**32 - 1

Counts = np.ndarray[Any, np.dtype[np.uint32]]
Sums = np.ndarray[Any, np.dtype[np.float32]]
Vector = np.ndarray[Any, np.dtype[np.float32]]


class Window(NamedTuple):
    """A sliding window: `tiles` full tiles of `tile_s` seconds and the running one."""

    name: str
    text: str
    tiles: int
    tile_s: float


WINDOWS = (
    Window("10m", "10 minutes", 5, 120.0),
    Window("1h", "hour", 6, 600.0),
    Window("24h", "24 hours", 8, 10800.0),
    Window("7d", "7 days", 7, DAY_S),
    Window("30d", "30 days", 10, 3 * DAY_S),
)
"""The windows of every record, longer by at most 20%, 17%, 13%, 15% and 10% than their names."""

N_WINDOWS = len(WINDOWS)
SLOTS = tuple(w.tiles + 1 for w in WINDOWS)
TILE_S = tuple(w.tile_s for w in WINDOWS)
assert all(tile_s.is_integer() for tile_s in TILE_S)
OFFSETS = tuple(sum(SLOTS[:i]) for i in range(N_WINDOWS))
TOTAL_SLOTS = sum(SLOTS)
"""The rings of all windows lie one after the other in one array of this length."""


@compiled
def tile_of(time_s: float, tile_s: float) -> int:
    """Give the number of the tile that a time falls into, counted from 1970.

    Tiles are of whole seconds, so those of the time are enough; floats take five times as long.
    """
    return int(time_s) // int(tile_s)


@compiled
def clear_passed(ring: Any, offset: int, slots: int, before: int, after: int) -> None:
    """Empty the slots of the tiles after `before`, up to and with `after`."""
    for tile in range(max(before + 1, after - slots + 1), after + 1):
        ring[offset + tile % slots] = 0


@compiled
def advance_windows(counts: Counts, sums: Sums, before_s: float, after_s: float) -> None:
    """Move the windows to a later time of the clock: what has left them is forgotten."""
    for w in range(N_WINDOWS):
        before, after = tile_of(before_s, TILE_S[w]), tile_of(after_s, TILE_S[w])
        clear_passed(counts, OFFSETS[w], SLOTS[w], before, after)
        clear_passed(sums, OFFSETS[w], SLOTS[w], before, after)


@compiled
def add_to_windows(
    counts: Counts, sums: Sums, clock_s: float, created_s: float, amount: float
) -> None:
    """Count a charge in its own tile of each window that still has it; counts saturate."""
    for w in range(N_WINDOWS):
        tile = tile_of(created_s, TILE_S[w])
        if tile_of(clock_s, TILE_S[w]) - tile < SLOTS[w]:
            slot = OFFSETS[w] + tile % SLOTS[w]
            counts[slot] = min(counts[slot] + 1, UINT32_MAX)
            sums[slot] += amount


@compiled
def window_totals(counts: Counts, sums: Sums, row: Vector) -> None:
    """Write the count of each window, then the sum of each window, to row[0 : 2 * N_WINDOWS]."""
    for w in range(N_WINDOWS):
        count, total = 0.0, 0.0
        for slot in range(OFFSETS[w], OFFSETS[w] + SLOTS[w]):
            count += counts[slot]
            total += sums[slot]
        row[w] = count
        row[N_WINDOWS + w] = total


@compiled
def advance_maxima(maxima: Vector, window: int, before_s: float, after_s: float) -> None:
    """Move the ring of one window's largest values to a later time of the clock."""
    before, after = tile_of(before_s, TILE_S[window]), tile_of(after_s, TILE_S[window])
    clear_passed(maxima, 0, len(maxima), before, after)


@compiled
def add_to_maxima(
    maxima: Vector, window: int, clock_s: float, created_s: float, value: float
) -> None:
    """Keep a value, if it is above 0 and the largest of its tile."""
    tile = tile_of(created_s, TILE_S[window])
    if tile_of(clock_s, TILE_S[window]) - tile < len(maxima):
        maxima[tile % len(maxima)] = max(maxima[tile % len(maxima)], value)
