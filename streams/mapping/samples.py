"""Samples of the columns of a file: what its first rows hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

from schemas.rejected import InvalidEvent
from streams.events.row_files import column_names, read_rows
from streams.mapping.paths import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.events.row_files import Row

ROWS_LOOKED_AT: Final = 1000
_NESTING_MAX: Final = 4


@dataclass
class Column:
    """A column, or a path into what is nested, and what was seen of it."""

    name: str
    values: list[str] = field(default_factory=list)

    @property
    def is_unique(self) -> bool:
        """Whether no value was seen twice."""
        return len(set(self.values)) == len(self.values)

    @property
    def top(self) -> str:
        """The outermost name."""
        return self.name.partition(".")[0]


def sampled_columns(path: Path) -> list[Column]:
    """Return the columns of a file, with what its first rows have in them.

    Raises
    ------
    FileError
        When it cannot be read.
    """
    found: dict[str, Column] = {}
    for name in column_names(path, ROWS_LOOKED_AT):
        found.setdefault(name, Column(name))
    for _, row in islice(read_rows(path), ROWS_LOOKED_AT):
        if isinstance(row, InvalidEvent):
            continue
        for name, value in _flat(row):
            found.setdefault(name, Column(name)).values.append(value)
    return list(found.values())


def _flat(row: Row, before: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    for name, value in row.items():
        if isinstance(value, dict):
            if depth < _NESTING_MAX:
                yield from _flat(value, f"{before}{name}.", depth + 1)
        elif (text := text_of(value)) is not None and text != "":
            yield f"{before}{name}", text
