"""How many different cards a merchant saw in a window, by linear counting in a bitmap a tile.

Each tile of the window has a bitmap; a card sets one bit of it, chosen by its hash. When z of the
m bits of the tiles' union are unset, about m ln(m / z) distinct cards were seen, with a standard
error of sqrt(m (exp(t) - t - 1)) for t = n / m (Whang, Vander-Zanden and Taylor, A linear-time
probabilistic counting algorithm for database applications, ACM TODS 15(2), 1990).
"""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np

from streams.compiled import compiled

Words = np.ndarray[Any, np.dtype[np.uint64]]


@compiled
def clear_passed_bits(bits: Words, words: int, before: int, after: int) -> None:
    """Empty the bitmaps (of `words` words each) of the tiles after `before`, up to `after`."""
    slots = len(bits) // words
    if after - before >= slots:
        bits[:] = 0
    else:
        for tile in range(before + 1, after + 1):
            first = (tile % slots) * words
            bits[first : first + words] = 0


@compiled
def set_bit(bits: Words, words: int, tile: int, key: Any) -> None:
    """Set the bit of a hash in the bitmap of a tile."""
    slots = len(bits) // words
    bit = key % np.uint64(64 * words)
    word = (tile % slots) * words + np.int64(bit >> np.uint64(6))
    bits[word] |= np.uint64(1) << (bit & np.uint64(63))


@compiled
def ones(word: Any) -> int:
    """Count the set bits of a word (Warren, Hacker's Delight, section 5-1)."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + (
        (word >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@compiled
def distinct(bits: Words, words: int, last: int, tiles: int, least: int) -> float:
    """Estimate the distinct keys of `tiles` tiles up to `last`; a full bitmap counts m ln m.

    As many as `least` are known to be there, whatever the tiles have.
    """
    used, slots = 0, len(bits) // words
    first = (last - tiles + 1) % slots * words
    for word in range(words):
        union = np.uint64(0)
        stop = first + tiles * words
        for place in range(first + word, min(stop, len(bits)), words):
            union |= bits[place]
        for place in range(word, stop - len(bits), words):
            union |= bits[place]
        used += ones(union)
    unset = 64 * words - max(used, least)
    return 64 * words * log(64 * words / max(unset, 1))
