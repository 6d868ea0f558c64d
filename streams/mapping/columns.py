"""Which events of a mapping a file can give: asked before anything is read of it."""

from __future__ import annotations

import fnmatch
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from schemas.rejected import InvalidEvent
from schemas.signals import may_be_named
from streams.events.row_files import column_names, is_table, read_rows
from streams.mapping.mapping import OWN_NAMES, REQUIRED, MappedSignal
from streams.mapping.mistakes import Mistakes, meant
from streams.mapping.paths import getter

if TYPE_CHECKING:
    from pathlib import Path

    from streams.events.row_files import Row
    from streams.mapping.fields import FieldSpec
    from streams.mapping.mapping import EventSpec, Kind, Mapping

ROWS_LOOKED_AT: Final = 1000


class Columns:
    """What a file has columns of.

    Parameters
    ----------
    path
        The file.
    mapping
        How it is read.

    Raises
    ------
    FileError
        When it cannot be read.
    """

    def __init__(self, path: Path, mapping: Mapping) -> None:
        self.names = column_names(path, ROWS_LOOKED_AT, mapping.dialect)
        self._known = set(self.names)
        self.is_table = is_table(path)
        self._rows: list[Row] = []
        if not self.is_table:
            first = islice(read_rows(path, mapping.dialect), ROWS_LOOKED_AT)
            self._rows = [row for _, row in first if not isinstance(row, InvalidEvent)]

    def has(self, path: str) -> bool:
        """Return whether there is anything at a path, as far as the beginning of a file tells."""
        if self.is_table:
            return path in self._known or path.partition(".")[0] in self._known
        get = getter(path)
        return any(get(row) is not None for row in self._rows)

    def lacking(self, event: EventSpec) -> list[tuple[str, str]]:
        """Return the required fields of an event that there is no column for, with the column."""
        if event.is_of_charge:
            return []
        conditions = [
            ("when", each.path)
            for each in event.when
            if each.values and not each.negated and not self.has(each.path)
        ]
        return conditions + [
            (name, path)
            for name in REQUIRED[event.kind]
            if (field := event.fields.get(name)) is not None
            for path in self._lacking(field)
        ]

    def conditions_lacking(self, event: EventSpec) -> list[str]:
        """Return the columns that an event has conditions on, and that there are none of."""
        return [each.path for each in event.when if each.values and not self.has(each.path)]

    def _lacking(self, field: FieldSpec) -> list[str]:
        if field.default is not None:
            return []
        lacking = [path for path in field.paths if not self.has(path)]
        needs_all = not (field.takes_first or field.digest_of)
        return lacking if needs_all or len(lacking) == len(field.paths) else []


class Fitted(NamedTuple):
    """A mapping as far as a file can be read by it.

    Attributes
    ----------
    mapping
        With the events that the file has columns for.
    notes
        What a reader should know of the rest.
    """

    mapping: Mapping
    notes: list[str]


def fit(mapping: Mapping, path: Path, kinds: tuple[Kind, ...]) -> Fitted:
    """Return what of a mapping a file can give.

    Parameters
    ----------
    mapping
        All of it.
    path
        The file.
    kinds
        Of events, at least one of which it has to give.

    Raises
    ------
    MappingError
        When it can give none, naming every column that it lacks.
    FileError
        When it cannot be read.
    """
    columns = Columns(path, mapping)
    if "charge" not in kinds:
        events = tuple(each for each in mapping.events if not each.is_of_charge)
        mapping = replace(mapping, events=tuple(each for each in events if each.kind in kinds))
    lacking = {event.place: columns.lacking(event) for event in mapping.events}
    given = [
        event
        for event in mapping.events
        if not lacking[event.place] or not (columns.is_table or event.kind in kinds)
    ]
    if not any(event.kind in kinds for event in given):
        _refuse(mapping, path, kinds, columns)
    notes, usable = [], []
    for event in given:
        missing = columns.conditions_lacking(event) if columns.is_table else []
        if missing and event.is_of_charge:
            notes.append(f"{path}: no column {missing[0]}, so no {event.kind}s come of it")
        else:
            usable.append(event)
    signals, lacking_signals = _signals(mapping, columns)
    if lacking_signals:
        notes.append(f"{path}: no column {lacking_signals[0]}, so no such signal")
    return Fitted(replace(mapping, events=tuple(usable), signals=signals), notes)


def _signals(mapping: Mapping, columns: Columns) -> tuple[tuple[MappedSignal, ...], list[str]]:
    """Return the signals that a file has, patterns of names resolved, and those it has not."""
    found: dict[str, MappedSignal] = {}
    lacking: list[str] = []
    read = {path.partition(".")[0] for path in mapping.paths} | mapping.paths
    for each in mapping.signals:
        is_there = columns.has(each.path)
        if is_there or not (each.is_pattern or columns.is_table):  # a later line may have it
            found[each.signal.name] = replace(each, is_pattern=False)
            continue
        names = [] if not each.is_pattern else fnmatch.filter(columns.names, each.path)
        own = [name for name in names if name not in read | OWN_NAMES and may_be_named(name)]
        lacking += [] if own else [each.path]
        for name in own:
            found.setdefault(
                name, MappedSignal(name, msgspec.structs.replace(each.signal, name=name))
            )
    return tuple(found.values()), lacking


def _refuse(mapping: Mapping, path: Path, kinds: tuple[Kind, ...], columns: Columns) -> None:
    mistakes = Mistakes(mapping.name)
    for event in mapping.events:
        if event.kind in kinds:
            for name, column in columns.lacking(event):
                near = meant(column, columns.names)
                mistakes.add(f"{event.place}.{name}", f"{path} has no column {column}; {near}")
    if not any(event.kind in kinds for event in mapping.events):
        mistakes.add("", f"says nothing of {' or '.join(f'{kind}s' for kind in kinds)}")
    mistakes.settle()
