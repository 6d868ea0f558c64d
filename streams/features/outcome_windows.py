"""Windows over outcomes: how many of a kind were known in the last hour, 24 hours and 7 days.

An outcome counts at its own time, in tiles as those of `streams.features.windows`; the window of a
charge ends at the charge's time, with its tile. The rings go up to the newest outcome and not to
the newest charge, so a charge without outcomes moves nothing. What came before the charge may be
newer than it: then it counts for later ones, or with the tile.
"""

from __future__ import annotations

from typing import Any

from streams.compiled import compiled
from streams.features.windows import (
    SLOTS,
    TILE_S,
    TILES,
    WINDOWS,
    Vector,
    clear_passed,
    tile_of,
    tiles_in,
)
from streams.layouts.layout import Ring

FIRST = 1
"""Place in `WINDOWS` of the shortest window, the hour; the longer ones follow."""

NAMES = tuple(window.name for window in WINDOWS[FIRST:])
TEXTS = tuple(window.text for window in WINDOWS[FIRST:])


def slots_of(windows: int) -> int:
    """Return how many tiles the rings of so many windows have together.

    >>> slots_of(2)
    23
    """
    return sum(SLOTS[FIRST : FIRST + windows])


def ring_of(windows: int) -> Ring:
    """Return the layout of the rings of so many windows, one behind the other."""
    return Ring(tuple(map(tiles_in, range(FIRST, FIRST + windows))), "outcome_clock_s")


@compiled
def clear_outcomes(rings: Any, windows: int, before_s: float, clock_s: float) -> None:
    """Move the rings of some windows on to a later time of their clock."""
    offset = 0
    for w in range(FIRST, FIRST + windows):
        before, after = tile_of(before_s, TILE_S[w]), tile_of(clock_s, TILE_S[w])
        clear_passed(rings, offset, SLOTS[w], before, after)
        offset += SLOTS[w]


@compiled
def add_outcome(rings: Any, windows: int, clock_s: float, created_s: float, largest: int) -> None:
    """Count an outcome in its tile of each window, where that is still there, up to `largest`."""
    offset = 0
    for w in range(FIRST, FIRST + windows):
        tile = tile_of(created_s, TILE_S[w])
        if tile_of(clock_s, TILE_S[w]) - tile < SLOTS[w]:
            place = offset + tile % SLOTS[w]
            rings[place] = min(rings[place] + 1, largest)
        offset += SLOTS[w]


@compiled
def outcomes_in_windows(
    rings: Any, windows: int, clock_s: float, created_s: float, row: Vector
) -> None:
    """Write how many outcomes the windows have that end at the time of a charge.

    Parameters
    ----------
    rings
        Those of all windows, integers[slots_of(windows)].
    windows
        How many there are.
    clock_s
        The newest time of an outcome, Unix seconds.
    created_s
        When the charge was made, Unix seconds.
    row
        Written to [0 : windows].
    """
    row[:windows] = 0.0
    longest = FIRST + windows - 1
    if created_s - clock_s >= TILES[longest] * TILE_S[longest]:
        return  # the newest outcome has left all windows
    offset = 0
    for w in range(FIRST, FIRST + windows):
        newest, last = tile_of(clock_s, TILE_S[w]), tile_of(created_s, TILE_S[w])
        count = 0.0
        for tile in range(max(last - TILES[w], newest - SLOTS[w]) + 1, min(last, newest) + 1):
            count += rings[offset + tile % SLOTS[w]]
        row[w - FIRST] = count
        offset += SLOTS[w]
