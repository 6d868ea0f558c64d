"""Short memories of what a card used lately: the last few merchants, countries and devices.

A memory is a pair of small arrays, keys (0 is an empty place) and the time each was last seen (in
whole seconds, rounded down), the latest arrival first. Looking up is a scan, as the arrays fit a
few cache lines.

The last time alone does not tell whether a key that was also used after a time, by a clock that is
ahead, was used within the hour before it. A memory that has to know keeps the *uses* of each key
besides: bit k of 16 is set if it was used k tiles of 10 minutes before the tile of its last time,
which is further back than an hour and the hour by which a charge may be behind.
"""

from __future__ import annotations

from math import ceil, floor
from typing import Any

import numpy as np

from streams.compiled import compiled
from streams.features.windows import UINT16_MAX, tile_of

UINT32_MAX = 2**32 - 1

HOUR_TILES, USE_TILE_S, USE_TILES = 6, 600.0, 16

Keys = np.ndarray[Any, np.dtype[np.unsignedinteger[Any]]]
Times = np.ndarray[Any, np.dtype[np.uint32]]
Uses = np.ndarray[Any, np.dtype[np.uint16]]


@compiled
def short_hash(key: Any) -> Any:
    """Give the lower 32 bits of a hash, 0 only for a missing one."""
    low = np.uint32(key & np.uint64(UINT32_MAX))
    return np.uint32(1) if low == 0 and key != 0 else low


@compiled
def whole_seconds(time_s: float) -> Any:
    """Give a time as an unsigned 32-bit number of seconds, saturating in the year 2106."""
    return np.uint32(min(max(time_s, 0.0), UINT32_MAX))


@compiled
def place_of(keys: Keys, key: Any) -> int:
    """Give the place of a key, or -1."""
    for place in range(len(keys)):
        if keys[place] == key:
            return place
    return -1


@compiled
def remember(keys: Keys, times: Times, key: Any, time_s: float) -> None:
    """Put a key first; the one longest not seen is forgotten when the memory is full."""
    place = place_of(keys, key)
    seen = whole_seconds(time_s)
    if place >= 0:
        seen = max(seen, times[place])
    else:
        place = len(keys) - 1
    for i in range(place, 0, -1):
        keys[i] = keys[i - 1]
        times[i] = times[i - 1]
    keys[0] = key
    times[0] = seen


@compiled
def remember_use(times: Times, uses: Uses, place: int, time_s: float) -> None:
    """Put the uses of the key at a place first, or of a new one (-1), with one more.

    The key itself has still to be remembered.
    """
    use = 1
    if place >= 0:
        later = tile_of(whole_seconds(time_s), USE_TILE_S) - tile_of(times[place], USE_TILE_S)
        if later >= 0:
            use = (int(uses[place]) << min(later, USE_TILES)) | 1
        else:
            use = int(uses[place]) | (1 << min(-later, USE_TILES))
    else:
        place = len(uses) - 1
    for i in range(place, 0, -1):
        uses[i] = uses[i - 1]
    uses[0] = use & UINT16_MAX


@compiled
def distinct_in(keys: Keys, times: Times, own: Any, begin_s: float, end_s: float) -> int:
    """Count the keys last used between two times, and an own one, whenever that was last used."""
    count, begin, end = 0, ceil(begin_s), floor(end_s)
    for place in range(len(keys)):
        last = np.int64(times[place])
        is_inside = (last >= begin) & (last <= end)
        count += (keys[place] != 0) & (is_inside | (keys[place] == own))
    return count


@compiled
def distinct_also_before(keys: Keys, times: Times, uses: Uses, own: Any, time_s: float) -> int:
    """Count the keys used after a time and in the hour before it (in whole tiles), save an own."""
    count, tile, hour = 0, tile_of(time_s, USE_TILE_S), 2 ** (HOUR_TILES + 1) - 1
    for place in range(len(keys)):
        if keys[place] != own and times[place] > time_s:
            later = tile_of(times[place], USE_TILE_S) - tile
            if later < USE_TILES and (int(uses[place]) >> later) & hour != 0:
                count += 1
    return count
