"""Short memories of what a card used lately: the last few merchants, countries and devices.

A memory is a pair of small arrays, keys (0 is an empty place) and the time each was last seen (in
whole seconds, rounded down), the latest arrival first. Looking up is a scan, as the arrays fit a
few cache lines.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streams.compiled import compiled

UINT32_MAX = 2**32 - 1

Keys = np.ndarray[Any, np.dtype[np.unsignedinteger[Any]]]
Times = np.ndarray[Any, np.dtype[np.uint32]]


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
def distinct_since(keys: Keys, times: Times, since_s: float) -> int:
    """Count the keys last seen at or after a time."""
    count = 0
    for place in range(len(keys)):
        if keys[place] != 0 and times[place] >= since_s:
            count += 1
    return count
