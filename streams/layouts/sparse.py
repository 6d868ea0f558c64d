"""Records without their zeros: most tiles of most windows are empty.

::

    | head | a bit for each word of 32 bits | the words that are not zero |

A record that this makes no shorter is written whole: its length tells which it is.
"""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streams.layouts.layout import Rows

HEAD_BYTES: Final = 8
_WORD: Final = np.dtype("<u4")


def sparse(records: Rows) -> list[bytes]:
    """Return N records of S bytes each without their zeros.

    >>> records = np.array([(1, [0] * 60), (1, range(60))], "i8,60u2")
    >>> values = sparse(records)
    >>> [len(value) for value in values], bytes(whole(values, 128)) == records.tobytes()
    ([12, 128], True)
    """
    size = records.dtype.itemsize
    assert size % _WORD.itemsize == 0
    raw = np.ascontiguousarray(records).view(np.uint8).reshape(len(records), size)
    words = raw[:, HEAD_BYTES:].view(_WORD)
    is_set = words != 0
    heads = np.hstack([raw[:, :HEAD_BYTES], np.packbits(is_set, axis=1)])
    head_bytes, all_heads, all_words = heads.shape[1], heads.tobytes(), words[is_set].tobytes()
    ends = np.cumsum(np.count_nonzero(is_set, axis=1)) * _WORD.itemsize
    values, start = list[bytes](), 0
    for number, end in enumerate(ends.tolist()):
        if head_bytes + end - start < size:
            head = all_heads[number * head_bytes : (number + 1) * head_bytes]
            values.append(head + all_words[start:end])
        else:
            values.append(raw[number].tobytes())
        start = end
    return values


def whole(values: Sequence[bytes], size_bytes: int) -> bytearray:
    """Return N records of `size_bytes` each, one behind the other.

    Parameters
    ----------
    values
        Records, with or without their zeros.

    Raises
    ------
    ValueError
        When one of them is neither.
    """
    joined = bytearray().join(values)
    if len(joined) == len(values) * size_bytes:
        return joined
    lengths = np.fromiter(map(len, values), np.intp, len(values))
    is_sparse = lengths != size_bytes
    records = np.empty((len(values), size_bytes), np.uint8)
    full = b"".join(compress(values, ~is_sparse))
    records[~is_sparse] = np.frombuffer(full, np.uint8).reshape(-1, size_bytes)
    records[is_sparse] = _filled([*compress(values, is_sparse)], lengths[is_sparse], size_bytes)
    return bytearray(records.tobytes())


def fits(value: bytes, size_bytes: int) -> bool:
    """Tell whether a value is a record of `size_bytes`, with or without its zeros.

    >>> record = np.zeros(1, "i8,60u2")
    >>> fits(record.tobytes(), 128), fits(sparse(record)[0], 128), fits(sparse(record)[0], 256)
    (True, True, False)
    """
    if len(value) == size_bytes:
        return True
    bits = value[HEAD_BYTES : _head_bytes(size_bytes)]
    words = int.from_bytes(bits, "big").bit_count()
    return len(value) == _head_bytes(size_bytes) + words * _WORD.itemsize


def _head_bytes(size_bytes: int) -> int:
    """Return the bytes before the words of a record without its zeros."""
    return HEAD_BYTES + (_words_in(size_bytes) + 7) // 8


def _words_in(size_bytes: int) -> int:
    return (size_bytes - HEAD_BYTES) // _WORD.itemsize


def _filled(
    values: Sequence[bytes], lengths: NDArray[np.intp], size_bytes: int
) -> NDArray[np.uint8]:
    """Return u1[N, S] of N records that are written without their zeros, by their lengths."""
    count, head_bytes = _words_in(size_bytes), _head_bytes(size_bytes)
    _check(lengths.min() >= head_bytes)
    joined = np.frombuffer(b"".join(values), np.uint8)
    places = (np.cumsum(lengths) - lengths)[:, None] + np.arange(head_bytes)
    heads = joined[places]
    is_set = np.unpackbits(heads[:, HEAD_BYTES:], axis=1, count=count).view(np.bool_)
    of_words = lengths - head_bytes
    _check((np.count_nonzero(is_set, axis=1) * _WORD.itemsize == of_words).all())
    is_word = np.ones(len(joined), np.bool_)
    is_word[places] = False
    words = np.zeros((len(values), count), _WORD)
    words[is_set] = joined[is_word].view(_WORD)
    return np.hstack([heads[:, :HEAD_BYTES], words.view(np.uint8)])


def _check(is_sound: np.bool_) -> None:
    if not is_sound:
        raise ValueError("a record has more or fewer words than it tells")
