"""Rows of files of any layout: what is in them, before anything is said about it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import orjson

from schemas.rejected import InvalidEvent
from streams.events.csv_text import Dialect, csv_names, csv_rows
from streams.events.files import PARQUET, TABLES, failing_clearly, file_kind, no_note, unpacked
from streams.events.json_text import events_in
from streams.events.parquet import parquet_names, parquet_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Row = dict[str, Any]

_GUESSED: Final = Dialect()


def read_rows(
    path: Path, dialect: Dialect = _GUESSED, note: Callable[[str], None] = no_note
) -> Iterator[tuple[int, Row | InvalidEvent]]:
    """Yield the rows of a file in their order, each with its place.

    Parameters
    ----------
    path
        As for `streams.events.files.read_events`.
    dialect
        How it is written, if it is CSV.
    note
        Is told what a reader should know.

    Yields
    ------
    tuple
        The line that a row of CSV begins in, of other files its number, from 1; and its columns or
        fields (of CSV all are text, and those that are empty are left out), or why it is damaged.

    Raises
    ------
    FileError
        As `read_events`.
    """
    kind = file_kind(path)
    with failing_clearly(path), path.open("rb") as stream:
        if kind == PARQUET:
            yield from enumerate(parquet_rows(stream), 1)
        elif kind in TABLES:
            yield from csv_rows(unpacked(stream, kind), dialect, note)
        else:
            yield from enumerate(map(_object, events_in(unpacked(stream, kind))), 1)


def is_table(path: Path) -> bool:
    """Return whether a file says itself which columns it has."""
    return file_kind(path) in (PARQUET, *TABLES)


def is_csv(path: Path) -> bool:
    """Return whether a file is CSV."""
    return file_kind(path) in TABLES


def column_names(path: Path, rows: int, dialect: Dialect = _GUESSED) -> list[str]:
    """Return the columns of a table, or the outermost fields of the first rows of JSON.

    Raises
    ------
    FileError
        As `read_events`.
    """
    kind = file_kind(path)
    with failing_clearly(path), path.open("rb") as stream:
        if kind == PARQUET:
            return parquet_names(stream)
        if kind in TABLES:
            return csv_names(unpacked(stream, kind), dialect)
    names: dict[str, None] = {}
    for _, row in islice(read_rows(path), rows):
        if not isinstance(row, InvalidEvent):
            names.update(dict.fromkeys(row))
    return list(names)


def _object(event: bytes) -> Row | InvalidEvent:
    try:
        row = orjson.loads(event)
    except orjson.JSONDecodeError as error:
        return InvalidEvent("json", f"expected a JSON object, got what is no JSON ({error.msg})")
    return row if isinstance(row, dict) else InvalidEvent("json", "expected a JSON object")
