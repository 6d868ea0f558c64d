"""Identifiers in the form that payment processors use, from 64-bit tokens.

Every second character of the body is a letter, so that no identifier can ever hold the run of
digits that looks like a card number.
"""

import numpy as np

from streams.simulator.randomness import U64

_FIRST = "0123456789ABCDEFGHJKLMNPQRSTVWXY"
_SECOND = "abcdefghijkmnopqrstuvwxyzACDEFGH"
_PAIRS = np.array([[ord(a), ord(b)] for a in _FIRST for b in _SECOND], dtype=np.uint8)
_SHIFTS = np.arange(0, 70, 10, dtype=np.uint64)


def ids(prefix: str, tokens: U64) -> list[str]:
    """Return one identifier for each token: the prefix and 14 characters, one to one.

    >>> ids("ch_", np.array([1, 2**64 - 1], dtype=np.uint64))
    ['ch_0b0a0a0a0a0a0a', 'ch_YHYHYHYHYHYH0q']
    """
    count, start = len(tokens), len(prefix)
    width = start + 2 * len(_SHIFTS)
    text = np.empty((count, width), dtype=np.uint8)
    text[:, :start] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    codes = (tokens[:, None] >> _SHIFTS) & np.uint64(1023)
    text[:, start:] = _PAIRS[codes].reshape(count, width - start)
    joined = text.tobytes().decode("ascii")
    return [joined[i : i + width] for i in range(0, count * width, width)]


def optional_ids(prefix: str, tokens: U64) -> list[str | None]:
    """Like `ids`, with None for the token 0.

    >>> optional_ids("ip_", np.zeros(1, dtype=np.uint64))
    [None]
    """
    known = (tokens != 0).tolist()
    return [
        text if is_known else None
        for text, is_known in zip(ids(prefix, tokens), known, strict=True)
    ]
