"""Copies of rows as bytes, each row at once.

numpy copies rows of a structured type field by field, and to join some works out anew which type
they have in common. With a few rows of dozens of fields that takes ten times as long as the bytes:
in a turn of a worker at everyday rates, a tenth of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streams.layouts.layout import Rows


def joined(parts: Sequence[Rows]) -> Rows:
    """Return rows of one type, one part behind the other; a single part as it is.

    >>> rows = np.array([(1, 2.0), (3, 4.0)], "i4,f8")
    >>> joined([rows, rows[:1]]).tolist()
    [(1, 2.0), (3, 4.0), (1, 2.0)]
    """
    if len(parts) == 1:
        return parts[0]
    dtype = parts[0].dtype
    assert all(part.dtype == dtype for part in parts)
    return np.concatenate([_raw(part) for part in parts]).view(dtype)


def rows_at(rows: Rows, places: NDArray[np.intp] | NDArray[np.bool_]) -> Rows:
    """Return the rows at some places, in their order, or those of a mask.

    >>> rows_at(np.array([(1, 2.0), (3, 4.0)], "i4,f8"), np.array([1, 0])).tolist()
    [(3, 4.0), (1, 2.0)]
    """
    return _raw(rows)[places].view(rows.dtype)


def contiguous(rows: Rows) -> Rows:
    """Return rows one behind the other: themselves if they are, else a copy.

    >>> records = np.array([(1, (2, 3.0)), (4, (5, 6.0))], [("a", "i4"), ("b", "i4,f8")])
    >>> contiguous(records["b"]).flags.c_contiguous, contiguous(records["b"]).tolist()
    (True, [(2, 3.0), (5, 6.0)])
    """
    return np.ascontiguousarray(_raw(rows)).view(rows.dtype)


def put_rows(target: Rows, places: NDArray[np.intp] | slice, rows: Rows) -> None:
    """Set the rows at some places.

    >>> target = np.zeros(3, "i4,f8")
    >>> put_rows(target, np.array([2, 0]), np.array([(1, 2.0), (3, 4.0)], "i4,f8"))
    >>> target.tolist()
    [(3, 4.0), (0, 0.0), (1, 2.0)]
    """
    assert target.dtype == rows.dtype
    _raw(target)[places] = _raw(rows)


def _raw(rows: Rows) -> NDArray[Any]:
    return rows.view(f"V{rows.dtype.itemsize}")
