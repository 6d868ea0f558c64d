"""Which partition a key belongs to: that of Kafka's own clients, for a batch of keys at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from streams.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def partitions_of(keys: Sequence[bytes], count: int) -> npt.NDArray[np.int64]:
    """Return the partition of each key among `count`, as Java's default partitioner has it.

    Examples
    --------
    >>> partitions_of([b"card_1", b"card_2", b"card_1"], 4)
    array([3, 0, 3])
    """
    ends = np.cumsum(np.array([len(key) for key in keys], np.int64))
    hashes = np.empty(len(keys), np.int64)
    _murmur2(np.frombuffer(b"".join(keys), np.uint8), ends, hashes)
    return (hashes & 0x7FFFFFFF) % count


@compiled
def _murmur2(data: Any, ends: Any, out: Any) -> None:
    """Hash stretches of bytes (MurmurHash2 by Austin Appleby, with the seed that Kafka uses)."""
    start = 0
    for i in range(len(ends)):
        length = ends[i] - start
        h = (_SEED ^ length) & _MASK
        whole = start + length // 4 * 4
        for at in range(start, whole, 4):
            k = (
                np.int64(data[at])
                | np.int64(data[at + 1]) << 8
                | np.int64(data[at + 2]) << 16
                | np.int64(data[at + 3]) << 24
            )
            k = (k * _M) & _MASK
            k = ((k ^ (k >> 24)) * _M) & _MASK
            h = ((h * _M) & _MASK) ^ k
        rest = ends[i] - whole
        if rest == 3:
            h ^= np.int64(data[whole + 2]) << 16
        if rest >= 2:
            h ^= np.int64(data[whole + 1]) << 8
        if rest >= 1:
            h = ((h ^ np.int64(data[whole])) * _M) & _MASK
        h = ((h ^ (h >> 13)) * _M) & _MASK
        out[i] = h ^ (h >> 15)
        start = ends[i]
