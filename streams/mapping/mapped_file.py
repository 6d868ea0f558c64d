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
from streams.mapping.amounts import LeftOut
from streams.mapping.conditions import compiled
from streams.mapping.making import Maker
from streams.mapping.paths import getter, top

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Mapping as AnyMapping
    from pathlib import Path

    from streams.events.row_files import Row
    from streams.mapping.making import Event, Means
    from streams.mapping.mapping import Kind, Mapping

    Cards = AnyMapping[str, tuple[str, str]]
    """Card and merchant of charges, by their ids."""

_NOT_JSON = (TypeError, ValueError)
_AS_IT_IS, _AS_NUMBER = "as it is", "as a number"


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
        made = _Made(self.mapping, self.kind, self.means, self.cards)
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
        made = _Made(self.mapping, self.kind, self.means, self.cards)
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


class _Made:
    """What becomes of the rows of one file, for one kind."""

    def __init__(self, mapping: Mapping, kind: Kind, means: Means, cards: Cards) -> None:
        self._mapping = mapping
        self._cards = cards
        self._left_out = [compiled(each, mapping.missing) for each in mapping.leave_out]
        self._makers = [Maker(mapping, spec, means) for spec in mapping.of_kind(kind)]
        self._charges = [Maker(mapping, spec, means) for spec in mapping.of_kind("charge")]
        self._is_charge = kind == "charge"
        self._read = mapping.paths
        self._carried: dict[str, str] = {}
        self._renamed = [
            (each.signal.name, getter(each.path, mapping.missing))
            for each in mapping.signals
            if each.is_renamed
        ]

    def of(self, row: Row, number: int) -> Iterator[Event | InvalidEvent]:
        if any(holds(row) for holds in self._left_out):
            return
        for maker in self._makers:
            if not maker.is_of(row):
                continue
            try:
                event = self._made(maker, row, number)
            except LeftOut:
                continue
            except InvalidEvent as error:
                yield error
                continue
            if event is not None:
                yield event

    def times(self, row: Row, number: int) -> Iterator[float]:
        """Yield when each of `of` was made, where that is told by themselves."""
        if any(holds(row) for holds in self._left_out):
            return
        for maker in self._makers:
            if maker.is_of(row):
                try:
                    yield maker.time(row, number)
                except LeftOut:
                    continue

    def _made(self, maker: Maker, row: Row, number: int) -> Event | None:
        if self._is_charge:
            return self._carry(row) | self._signals(row) | maker.make(row, number)
        if maker.spec.is_of_charge:
            charge = self._charge(row, number)
            return None if charge is None else maker.make_label(row, number, charge)
        event = maker.make_label(row, number, None)
        if not {"card", "merchant"} <= event.keys() and event.get("charge") in self._cards:
            card, merchant = self._cards[event["charge"]]
            event = {"card": card, "merchant": merchant} | event
        return event

    def _charge(self, row: Row, number: int) -> Event | None:
        """Return the charge of a row; `None` where there is none, which is told elsewhere."""
        for maker in self._charges:
            if maker.is_of(row):
                try:
                    return maker.make(row, number)
                except (InvalidEvent, LeftOut):
                    return None
        return None

    def _signals(self, row: Row) -> Event:
        """Return the signals that have another name in the row."""
        return {name: value for name, get in self._renamed if (value := get(row)) is not None}

    def _carry(self, row: Row) -> Event:
        """Return the columns that are carried along."""
        if not (self._mapping.carry or self._mapping.signals):
            return {}
        carried = {}
        known = self._carried
        for name, value in row.items():
            how = known.get(name)
            if how is None:
                how = known[name] = self._how(name, row)
            if how and value is not None:
                carried[name] = _number(value) if how == _AS_NUMBER else value
        return carried

    def _how(self, name: str, row: Row) -> str:
        """Return how a column is carried along; empty if it is not."""
        is_read = any(top(path, row) == name for path in self._read)
        if is_read and not self._mapping.carries_in_any_case(name):
            return ""
        if not self._mapping.carries(name):
            return ""
        return _AS_NUMBER if self._mapping.is_number(name) else _AS_IT_IS


def _number(text: object) -> object:
    if not isinstance(text, str):
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    return number if abs(number) < 1e300 else text


def _encoded(event: Event, place: str, number: int) -> bytes:
    try:
        return orjson.dumps(event)
    except _NOT_JSON as error:
        return unusable_row(InvalidEvent("json", place.format(number, error)))
