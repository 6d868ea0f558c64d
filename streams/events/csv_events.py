"""CSV with our own field names: numbers become numbers where a field is one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import orjson

from schemas.rejected import InvalidEvent
from schemas.unusable import unusable_row
from streams.events.csv_text import Dialect, csv_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_DIALECT: Final = Dialect()
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}(?:\.0+)?", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,18}(?:\.[0-9]+)?", re.ASCII)


def csv_events(chunks: Iterable[bytes], note: Callable[[str], None]) -> Iterator[bytes]:
    r"""Yield each row as a JSON object; a damaged one as what is rejected for the reason.

    Examples
    --------
    >>> text = b"id,created,amount,card\nc1,1790000000.5,1999,0042\n"
    >>> list(csv_events([text], print))
    [b'{"id":"c1","created":1790000000.5,"amount":1999,"card":"0042"}']
    """
    for line, row in csv_rows(chunks, _DIALECT, note):
        yield damaged_row(line, row) if isinstance(row, InvalidEvent) else _event(row)


def damaged_row(line: int, error: InvalidEvent) -> bytes:
    """Return the event that stands for a row that could not be read."""
    return unusable_row(InvalidEvent(error.reason, f"line {line}: {error}"))


def _event(row: dict[str, str]) -> bytes:
    fields: dict[str, str | float] = dict(row)
    for name in ("amount", "mcc"):
        if (text := row.get(name)) and _INTEGER.fullmatch(text):
            fields[name] = int(text.partition(".")[0])
    if (text := row.get("created")) and _NUMBER.fullmatch(text):
        fields["created"] = float(text) if "." in text else int(text)
    return orjson.dumps(fields)
