"""Sliding windows as rings of tiles: counts and sums over the last 10 minutes to 30 days.

A window is a ring of tiles of fixed length; an event goes to the tile of its own time. The window
of a charge ends at the charge's own time, not at the newest that its record has seen: a charge from
a clock that is ahead empties no window of those that come after it at the right time. Its total is
the sum of the tile of that time, which may still be running, and of as many before it as the window
has. The ring has as many slots more as cover the hour by which a charge may be behind. The window
of 1 hour in tiles of 10 minutes, of a charge made at 12:34, after one dated 13:21 had come::

      11:20     11:40     12:00     12:20     12:40     13:00     13:20
        |    |    |    |    |    |    |    |    |    |    |    |    |    |
        |    |####|####|####|####|####|####|##  |    |    |    |    |#   |
               |<---------- 1 hour --------->|                       |
             |<-- counted: seven whole tiles -->|                  clock
                                           12:34

So a window covers its length and up to one tile more, never less, and the tile of its end is whole,
with what came from after its end. What is later is counted when time gets there.

The clock of a record is the time of its newest charge; it never moves back. Everything is exact for
a charge up to `AHEAD_S` behind it. One that comes later still goes to its own tile while that
exists; its windows are read from the tiles that are left, and have at least the charge itself. Sums
are of single precision: right to 1e-5 with a million charges in a tile, 1% low with ten million.

The same rule holds for all features: what is said of a charge is said of its own time, by what came
before it. Whatever counts time is counted to that time (ages, times since, disputes, labels); what
has no time in it (charges before, means of amounts, what is new) is by order of arrival.
"""

from __future__ import annotations

from math import ceil
from typing import Any, NamedTuple

import numpy as np

from streams.compiled import compiled
from streams.durations import DAY_S
from streams.layouts.layout import Ring, Tiles

UINT8_MAX, UINT16_MAX, UINT32_MAX = 2**8 - 1, 2**16 - 1, 2**32 - 1

Counts = np.ndarray[Any, np.dtype[np.uint32]]
ShortCounts = np.ndarray[Any, np.dtype[np.uint16]]
Sums = np.ndarray[Any, np.dtype[np.float32]]
Vector = np.ndarray[Any, np.dtype[np.float32]]


class Window(NamedTuple):
    """A sliding window: `tiles` full tiles of `tile_s` seconds and that of its end."""

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

AHEAD_S = 3600.0
"""How far a charge may be behind the newest of its record for its windows to be exact, seconds."""

N_WINDOWS = len(WINDOWS)
TILES = tuple(w.tiles + 1 for w in WINDOWS)
TILE_S = tuple(w.tile_s for w in WINDOWS)
SLOTS = tuple(w.tiles + 1 + ceil(AHEAD_S / w.tile_s) for w in WINDOWS)
assert all(tile_s.is_integer() for tile_s in TILE_S)
OFFSETS = tuple(sum(SLOTS[:i]) for i in range(N_WINDOWS))
TOTAL_SLOTS = sum(SLOTS)
"""The rings of all windows lie one after the other in one array of this length."""


def tiles_in(window: int, words: int = 1) -> Tiles:
    """Return the tiles of a window, by its place in `WINDOWS`."""
    return Tiles(WINDOWS[window].name, TILE_S[window], SLOTS[window], words)


RING = Ring(tuple(tiles_in(window) for window in range(N_WINDOWS)), "clock_s")
"""The layout of the rings of all windows."""


def total_names(scope: str) -> list[str]:
    """Return the names of the features that `count_in_windows` writes, in its order.

    >>> total_names("card")[::5]
    ['card_count_10m', 'card_sum_10m']
    """
    return [f"{scope}_{total}_{w.name}" for total in ("count", "sum") for w in WINDOWS]


@compiled
def tile_of(time_s: float, tile_s: float) -> int:
    """Give the number of the tile that a time falls into, counted from 1970.

    Tiles are of whole seconds, so those of the time are enough; floats take five times as long.
    """
    return int(time_s) // int(tile_s)


@compiled
def tiles_left(newest: int, last: int, tiles: int, slots: int) -> int:
    """Give how many of the tiles up to `last` a ring of `slots` up to `newest` still has."""
    return max(min(tiles, slots - (newest - last)), 0)


@compiled
def tiles_of(window: int, clock_s: float, created_s: float) -> tuple[int, int]:
    """Give the last tile of the window that ends at a time, and how many up to it are left."""
    last = tile_of(created_s, TILE_S[window])
    newest = tile_of(clock_s, TILE_S[window])
    return last, tiles_left(newest, last, TILES[window], SLOTS[window])


@compiled
def clear_passed(ring: Any, offset: int, slots: int, before: int, after: int) -> None:
    """Empty the slots of the tiles after `before`, up to and with `after`."""
    if after - before >= slots:
        ring[offset : offset + slots] = 0
    elif after > before:
        slot = before % slots
        for _ in range(after - before):
            slot = slot + 1 if slot + 1 < slots else 0
            ring[offset + slot] = 0


@compiled
def count_in_windows(
    counts: Counts,
    sums: Sums,
    before_s: float,
    clock_s: float,
    created_s: float,
    amount: float,
    row: Vector,
) -> None:
    """Count a charge and write the windows that end at its time, itself included.

    Parameters
    ----------
    counts, sums
        The rings of all windows, u4[TOTAL_SLOTS] and f4[TOTAL_SLOTS]. What has left them is
        forgotten; the charge counts in its own tile where that is still there. Counts saturate.
    before_s, clock_s
        The clock of the record before the charge and with it, Unix seconds.
    created_s, amount
        The charge.
    row
        Written to [0 : 2 * N_WINDOWS]: the count of each window, then the sum of each, as in
        `total_names`.
    """
    for w in range(N_WINDOWS):
        offset, slots, tile_s = OFFSETS[w], SLOTS[w], TILE_S[w]
        newest = tile_of(clock_s, tile_s)
        if clock_s != before_s:
            before = tile_of(before_s, tile_s)
            clear_passed(counts, offset, slots, before, newest)
            clear_passed(sums, offset, slots, before, newest)
        last = newest if created_s == clock_s else tile_of(created_s, tile_s)
        left = tiles_left(newest, last, TILES[w], slots)
        count, total, slot = 0.0, 0.0, last % slots
        if newest - last < slots:
            counts[offset + slot] = min(counts[offset + slot] + 1, UINT32_MAX)
            sums[offset + slot] += amount
        for _ in range(left):
            count += counts[offset + slot]
            total += sums[offset + slot]
            slot = slot - 1 if slot > 0 else slots - 1
        row[w] = max(count, 1.0)
        row[N_WINDOWS + w] = max(total, amount)


@compiled
def count_in_ring(
    counts: ShortCounts,
    window: int,
    before_s: float,
    clock_s: float,
    created_s: float,
    is_counted: bool,
) -> float:
    """Count a charge, or not, in the ring of one window, and give the window that ends at its time.

    Parameters
    ----------
    counts
        The ring, u2[SLOTS[window]], as one of those of `count_in_windows`. Counts saturate.
    window
        Its place in `WINDOWS`.
    before_s, clock_s
        The clock of the record before the charge and with it, Unix seconds.
    created_s, is_counted
        When the charge was made, Unix seconds, and whether it counts.

    Returns
    -------
    float
        How many counted, itself included.
    """
    slots, newest = len(counts), tile_of(clock_s, TILE_S[window])
    if clock_s != before_s:
        clear_passed(counts, 0, slots, tile_of(before_s, TILE_S[window]), newest)
    last, left = tiles_of(window, clock_s, created_s)
    slot = last % slots
    if is_counted and newest - last < slots:
        counts[slot] = min(counts[slot] + 1, UINT16_MAX)
    total = 1.0 if is_counted and left == 0 else 0.0
    for _ in range(left):
        total += counts[slot]
        slot = slot - 1 if slot > 0 else slots - 1
    return total


@compiled
def first_time(charges: int, first_s: float, clock_s: float, created_s: float) -> float:
    """Give since when a record is known; a charge that is too late moves nothing back."""
    if charges == 0:
        return created_s
    return min(first_s, created_s) if clock_s - created_s <= AHEAD_S else first_s


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


@compiled
def largest_in_window(maxima: Vector, window: int, clock_s: float, created_s: float) -> float:
    """Give the largest value of the window that ends at a time, 0 if there is none."""
    last, left = tiles_of(window, clock_s, created_s)
    largest, slot = 0.0, last % len(maxima)
    for _ in range(left):
        largest = max(largest, maxima[slot])
        slot = slot - 1 if slot > 0 else len(maxima) - 1
    return largest
