"""A file with a mapping: its charges, disputes or outcomes, as of any file of events."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from math import inf
from typing import TYPE_CHECKING

import orjson

from schemas.rejected import InvalidEvent
from schemas.unusable import unusable_row
from streams.events.files import time_in
from streams.events.row_files import is_csv, read_rows
from streams.mapping.row_events import RowEvents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from streams.events.row_files import Row
    from streams.mapping.making import Event, Means
    from streams.mapping.mapping import Kind, Mapping
    from streams.mapping.row_events import Cards

_NOT_JSON = (TypeError, ValueError)


@dataclass(slots=True)
class MappedFile:
    """The events of one kind in a file.

    Attributes
    ----------
    path
        Of the file.
    mapping
        What its columns are.
    kind
        Of the events.
    means
        What the mapping needs.
    tells_unusable
        Whether rows that cannot be used come as events that are rejected: of one of the kinds in a
        file, so that each is told once.
    cards
        Card and merchant of the charges that disputes and outcomes are of, for those that do not
        say them.
    notes
        What a reader should know.
    """

    path: Path
    mapping: Mapping
    kind: Kind
    means: Means
    tells_unusable: bool = True
    cards: Cards = field(default_factory=dict)
    notes: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """What it is called in rejected copies: the file, with the kind if there may be others."""
        return str(self.path) if self.tells_unusable else f"{self.path} ({self.kind}s)"

    def events(self) -> Iterator[bytes]:
        """Yield the events; raises as `streams.events.files.read_events`."""
        return self._of_rows(None)

    def first(self, rows: int) -> Iterator[bytes]:
        """Yield the events of the first rows."""
        return self._of_rows(rows)

    def times(self) -> Iterator[float]:
        """Yield when each event was made, as `streams.events.files.read_times`."""
        if self.kind != "charge":  # these are few, and complete in ways of their own
            yield from map(time_in, self.events())
            return
        made = RowEvents(self.mapping, self.kind, self.means, self.cards)
        for number, row in self._rows():
            if not isinstance(row, InvalidEvent):
                yield from made.times(row, number)
            elif self.tells_unusable:
                yield inf

    def pairs(self, rows: int) -> Iterator[tuple[Row | InvalidEvent, list[bytes]]]:
        """Yield the first rows, each with what becomes of it."""
        make = self._maker()
        for number, row in islice(self._rows(), rows):
            yield row, list(make(row, number))

    def _of_rows(self, rows: int | None) -> Iterator[bytes]:
        make = self._maker()
        for number, row in islice(self._rows(), rows):
            yield from make(row, number)

    def _rows(self) -> Iterator[tuple[int, Row | InvalidEvent]]:
        return read_rows(self.path, self.mapping.dialect, self.notes.add)

    def _maker(self) -> Callable[[Row | InvalidEvent, int], Iterator[bytes]]:
        """Return what makes events of a row, or what stands for a row that cannot be used."""
        made = RowEvents(self.mapping, self.kind, self.means, self.cards)
        place = "line {}: {}" if is_csv(self.path) else "row {}: {}"

        def make(row: Row | InvalidEvent, number: int) -> Iterator[bytes]:
            if isinstance(row, InvalidEvent):
                if self.tells_unusable:
                    yield unusable_row(InvalidEvent(row.reason, place.format(number, row)))
                return
            for event in made.of(row, number):
                if isinstance(event, InvalidEvent):
                    yield unusable_row(InvalidEvent(event.reason, place.format(number, event)))
                else:
                    yield _encoded(event, place, number)

        return make


def _encoded(event: Event, place: str, number: int) -> bytes:
    try:
        return orjson.dumps(event)
    except _NOT_JSON as error:
        return unusable_row(InvalidEvent("json", place.format(number, error)))
