"""What becomes of a row by a mapping: its charges, disputes or outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.rejected import InvalidEvent
from streams.mapping.amounts import LeftOut
from streams.mapping.conditions import compiled
from streams.mapping.making import Maker
from streams.mapping.paths import getter, top

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping as AnyMapping

    from streams.events.row_files import Row
    from streams.mapping.making import Event, Means
    from streams.mapping.mapping import Kind, Mapping

    Cards = AnyMapping[str, tuple[str, str]]
    """Card and merchant of charges, by their ids."""

_AS_IT_IS, _AS_NUMBER = "as it is", "as a number"


class RowEvents:
    """What becomes of rows, for one kind of events.

    Parameters
    ----------
    mapping
        What their columns are.
    kind
        Of the events.
    means
        What the mapping needs.
    cards
        As `streams.mapping.mapped_file.MappedFile.cards`.
    """

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
        """Yield the events of a row, or why one cannot be made."""
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
