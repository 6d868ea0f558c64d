"""CSV text: rows of cells as they are written, each with the line it begins in.

Nothing is guessed of a cell: it is the text between two delimiters. A row that is damaged costs no
other, and is told with its line.
"""

from __future__ import annotations

import csv
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from schemas.rejected import InvalidEvent
from streams.events.text_lines import line_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

DELIMITERS: Final = (",", ";", "\t", "|")
ROW_CHARACTERS_MAX: Final = 64 * 1024
"""An event may have no more bytes; a quotation mark that nothing closes ends here at the latest."""

_LINES_LOOKED_AT: Final = 50

Cells = dict[str, str]


class CsvError(ValueError):
    """The text has no header that columns could be told by."""


class Dialect(NamedTuple):
    """How CSV is written; `None` for what its beginning tells.

    Attributes
    ----------
    delimiter
        One of `DELIMITERS`, or any other character.
    encoding
        As Python names it.
    """

    delimiter: str | None = None
    encoding: str | None = None


def csv_rows(
    chunks: Iterable[bytes], dialect: Dialect, note: Callable[[str], None]
) -> Iterator[tuple[int, Cells | InvalidEvent]]:
    r"""Yield the rows of CSV with a header, without the cells that are empty.

    Parameters
    ----------
    chunks
        The text, cut anywhere.
    dialect
        How it is written.
    note
        Is told what a reader should know, such as an encoding that was taken.

    Yields
    ------
    tuple
        The line that a row begins in, from 1, and its cells by column; or why it is damaged.

    Raises
    ------
    CsvError
        When there is no header.

    Examples
    --------
    >>> text = [b'\xef\xbb\xbfid;note\r\nc1;"a;\r\nb"\r\nc2\r\nc3;\r\n']
    >>> for line, row in csv_rows(text, Dialect(), print):
    ...     print(line, row)
    2 {'id': 'c1', 'note': 'a;\r\nb'}
    4 expected 2 cells as in the header, got 1
    5 {'id': 'c3'}
    """
    blocks = line_blocks(chunks, dialect.encoding, note)
    first = next(blocks, [])
    delimiter = dialect.delimiter or _delimiter(first[:_LINES_LOOKED_AT])
    rows = _rows(_Feeder(chain([first], blocks)), delimiter)
    head = next(rows, (1, []))[1]
    if isinstance(head, InvalidEvent) or not any(head):
        raise CsvError("expected a line with the names of the columns first")
    names = _names(head)
    width = len(names)
    for line, cells in rows:
        if isinstance(cells, InvalidEvent):
            yield line, cells
        elif len(cells) == width:
            # Cells that are empty are missing; a walk over all of them costs half of the reading.
            row = dict(zip(names, cells, strict=True))
            yield line, {name: cell for name, cell in row.items() if cell} if "" in cells else row
        elif cells:  # an empty line is none
            yield line, _damaged(f"expected {width} cells as in the header, got {len(cells)}")


def csv_names(chunks: Iterable[bytes], dialect: Dialect) -> list[str]:
    """Return the names of the columns; raises as `csv_rows`."""
    first = next(line_blocks(chunks, dialect.encoding, lambda _: None), [])[:_LINES_LOOKED_AT]
    head = next(_rows(_Feeder(iter([first])), dialect.delimiter or _delimiter(first)), (1, []))[1]
    if isinstance(head, InvalidEvent) or not any(head):
        raise CsvError("expected a line with the names of the columns first")
    return _names(head)


class _Feeder:
    """Gives lines to the parser, and keeps those of the row that it is in."""

    def __init__(self, blocks: Iterator[list[str]]) -> None:
        self._blocks = blocks
        self._lines: Iterator[str] = iter(())
        self._pending: list[str] = []
        self.row: list[str] = []
        self._characters = 0
        self.number = 0
        self.is_cut_off = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._pending.pop() if self._pending else next(self._lines, None)
        if line is None and (block := next(self._blocks, None)):
            self._lines = iter(block)
            line = next(self._lines)
        if line is None:
            self.is_cut_off = bool(self.row)
            raise StopIteration
        self.number += 1
        self.row.append(line)
        self._characters += len(line)
        if self._characters > ROW_CHARACTERS_MAX:
            raise csv.Error("the row does not end")
        return line

    def take_plain(self) -> list[str]:
        """Take lines each of which is a row, as there is no quotation mark in them; else none."""
        if self._pending or (line := next(self._lines, None)) is not None:
            if not self._pending:
                self._pending.append(line or "")
            return []
        block = next(self._blocks, [])
        text = "".join(block)
        has_odd_ends = text.count("\r") != text.count("\r\n")
        if '"' in text or has_odd_ends or max(map(len, block), default=0) > ROW_CHARACTERS_MAX:
            self._lines = iter(block)
            return []
        self.number += len(block)
        return block

    def begin_row(self) -> None:
        """Forget the lines of the row before."""
        self.row.clear()
        self._characters = 0

    def retake(self) -> None:
        """Give the lines of this row again, but for the first."""
        again = self.row[1:]
        self._pending.extend(reversed(again))
        self.number -= len(again)
        self.is_cut_off = False


def _rows(feeder: _Feeder, delimiter: str) -> Iterator[tuple[int, list[str] | InvalidEvent]]:
    """Yield rows; of one whose quotation mark is not closed its first line alone is damaged."""
    reader = csv.reader(feeder, delimiter=delimiter)
    while True:
        line = feeder.number + 1
        if plain := feeder.take_plain():
            yield from enumerate(csv.reader(plain, delimiter=delimiter), line)
            continue
        feeder.begin_row()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield line, _damaged(_why(feeder, error))
            feeder.retake()
            continue
        if feeder.is_cut_off:
            yield line, _damaged("a quotation mark is not closed")
            feeder.retake()
            reader = csv.reader(feeder, delimiter=delimiter)
        elif cells is None:
            return
        else:
            yield line, cells


def _why(feeder: _Feeder, error: csv.Error) -> str:
    if len(feeder.row) > 1:
        return "a quotation mark is not closed"
    if len(feeder.row[0]) > ROW_CHARACTERS_MAX:
        return f"expected at most {ROW_CHARACTERS_MAX:,} characters a row"
    return str(error).partition(" - ")[0]


def _damaged(why: str) -> InvalidEvent:
    return InvalidEvent("json", why)


def _delimiter(lines: list[str]) -> str:
    """Return the delimiter by which most rows are as wide as the header, and it is widest."""
    return max(DELIMITERS, key=lambda delimiter: _fit(lines, delimiter))


def _fit(lines: list[str], delimiter: str) -> tuple[float, int]:
    every = _rows(_Feeder(iter([lines])), delimiter)
    rows = [row for _, row in every if not isinstance(row, InvalidEvent) and row]
    width = len(rows[0]) if rows else 0
    if width < 2:
        return 0.0, 0
    return sum(len(row) == width for row in rows) / len(rows), width


def _names(head: list[str]) -> list[str]:
    """Return names of columns that differ: without spaces around, numbered where they are alike."""
    names: list[str] = []
    taken: set[str] = set()
    for number, cell in enumerate(head, 1):
        name = plain = cell.strip() or f"column_{number}"
        again = 1
        while name in taken:
            again += 1
            name = f"{plain}_{again}"
        taken.add(name)
        names.append(name)
    return names
