"""Messages that are rows alone, each with the head of its layout, and nothing beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.layouts.layout import LayoutError, Record, number_in
from streams.layouts.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streams.events.rows import Rows

MESSAGE_BYTES = 64 * 1024
"""Rows go together up to this size, before compression."""


def encode_rows(rows: Rows) -> list[bytes]:
    """Encode N rows of a record to as few messages as their size allows, in their order."""
    at_once = max(MESSAGE_BYTES // rows.dtype.itemsize, 1)
    return [rows[start : start + at_once].tobytes() for start in range(0, len(rows), at_once)]


def decode_rows(
    values: Sequence[bytes], record: Record, reader: Reader | None = None
) -> tuple[Rows, NDArray[np.int64]]:
    """Decode messages to all of their rows, and how many each has: i8[messages].

    Parameters
    ----------
    values
        The messages.
    record
        The present layout of a row.
    reader
        Knows the layouts they may be in; by default the present one alone.

    Raises
    ------
    LayoutError
        When a message is torn, or of a layout that cannot be read.
    """
    reader = reader or Reader(record, {})
    rows, counts = list[bytes](), list[int]()
    for value in values:
        number = number_in(value)
        size = reader.layout(number).size_bytes if number is not None else 0
        if not size or len(value) % size:
            raise LayoutError(f"a {record.layout.name} message", "it is torn")
        if number == record.layout.number:
            rows.append(value)
        else:
            parts = [value[start : start + size] for start in range(0, len(value), size)]
            rows.append(reader.rows(parts).tobytes())
        counts.append(len(value) // size)
    return np.frombuffer(bytearray().join(rows), record.dtype), np.array(counts, np.int64)
