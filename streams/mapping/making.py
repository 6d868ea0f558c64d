"""Makes events of rows: what a mapping says, as functions."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final

from schemas.rejected import InvalidEvent
from streams.durations import DAY_S
from streams.mapping.amounts import amount_reader
from streams.mapping.conditions import compiled
from streams.mapping.fields import FieldSpec
from streams.mapping.identifiers import digest_of, keyed_hash
from streams.mapping.paths import getter, text_of
from streams.mapping.times import time_reader

if TYPE_CHECKING:
    import collections.abc
    from collections.abc import Callable

    from streams.events.row_files import Row
    from streams.mapping.mapping import EventSpec, Mapping

    Event = dict[str, Any]
    ReadField = Callable[[Row, int], object]

_OF_CHARGE: Final = ("card", "merchant")


class Means:
    """What a mapping needs beside itself.

    Parameters
    ----------
    decimals
        Of the currencies, by code in lower case.
    key
        Of keyed hashes; empty where there are none.
    """

    def __init__(self, decimals: collections.abc.Mapping[str, int], key: bytes = b"") -> None:
        self.decimals = decimals
        self.key = key


class Maker:
    """Makes one event of a mapping.

    Parameters
    ----------
    mapping
        All of it.
    spec
        The event.
    means
        What it needs.
    """

    def __init__(self, mapping: Mapping, spec: EventSpec, means: Means) -> None:
        self.spec = spec
        missing = mapping.missing
        self._holds = compiled(spec.when, missing) if spec.when else None
        plain = {name for name, field in spec.fields.items() if _is_plain(name, field, missing)}
        self._plain = [(name, spec.fields[name].sources[0]) for name in plain]
        self._fields = [
            (name, _reader(name, field, missing, means))
            for name, field in spec.fields.items()
            if field.amount is None and name not in plain
        ]
        self._nested = {name: _reader(name, spec.fields[name], missing, means) for name in plain}
        self._amount = None
        field = spec.fields.get("amount")
        if field is not None and field.amount is not None:
            read = amount_reader(field.amount, means.decimals)
            self._amount = (_raw_reader(field, missing), read)
        self._delay = _delay_reader(spec.delay_days, missing)

    def is_of(self, row: Row) -> bool:
        """Return whether a row becomes such an event."""
        return self._holds is None or self._holds(row)

    def make(self, row: Row, number: int) -> Event:
        """Return the event of a row.

        Raises
        ------
        InvalidEvent
            When a value is none that its field can have.
        LeftOut
            When the row is no event.
        """
        event: Event = {}
        for name, path in self._plain:
            value = row.get(path)
            if value.__class__ is not str or not value:  # most are texts, as all of CSV are
                value = self._nested[name](row, number)
            if value is not None:
                event[name] = value
        for name, read in self._fields:
            value = read(row, number)
            if value is not None:
                event[name] = value
        if self._amount is not None:
            raw, read_amount = self._amount
            amount = raw(row)
            if amount is not None:
                event["amount"] = read_amount(amount, event.get("currency"))
        return event

    def time(self, row: Row, number: int) -> float:
        """Return when the event of a row was made, infinite where it cannot be used.

        Raises
        ------
        LeftOut
            As `make`.
        """
        amount = self.spec.fields.get("amount")
        if amount is not None and amount.amount is not None and amount.amount.negative != "reject":
            try:
                self.make(row, number)
            except InvalidEvent:
                return inf
        read = next((read for name, read in self._fields if name == "created"), None)
        try:
            time = None if read is None else read(row, number)
        except InvalidEvent:
            return inf
        return time if isinstance(time, float) else inf

    def make_label(self, row: Row, number: int, charge: Event | None) -> Event:
        """Return the dispute or outcome of a row, completed by the charge of the same row."""
        event = self.make(row, number)
        if charge is not None:
            event.setdefault("charge", charge.get("id"))
            event.setdefault("created", charge.get("created"))
            for name in _OF_CHARGE:
                event.setdefault(name, charge.get(name))
        created = event.get("created")
        if self._delay is not None and isinstance(created, float | int):
            event["created"] = created + self._delay(row) * DAY_S
        if "id" not in event and event.get("charge") is not None:
            what = event.get("outcome") if self.spec.kind == "outcome" else "dp"
            event["id"] = f"{what}_{event['charge']}"
        return {name: value for name, value in event.items() if value is not None}


def _is_plain(name: str, spec: FieldSpec, missing: frozenset[str]) -> bool:
    """Whether a field is the text of one column, as it is."""
    is_text = name not in {"created", "amount", "mcc", "three_d_secure"} and not missing
    return is_text and spec == FieldSpec(sources=spec.sources[:1])


def _reader(name: str, spec: FieldSpec, missing: frozenset[str], means: Means) -> ReadField:
    """Return what reads a field that is no amount."""
    if spec.time is not None:
        raw, read_time = _raw_reader(spec, missing), time_reader(spec.time)

        def read_created(row: Row, _: int) -> object:
            value = raw(row)
            return None if value is None else read_time(value)

        return read_created
    if spec.by_row:
        return lambda _, number: f"{spec.prefix}{number}"
    if spec.digest_of or spec.is_hashed:
        return _hash_reader(spec, missing, means)
    raw, prefix = _raw_reader(spec, missing), spec.prefix
    as_field = {"three_d_secure": None, "mcc": _as_code}.get(name, _as_text)

    def read(row: Row, _: int) -> object:
        value = raw(row)
        if value is None:
            return None
        found = as_field(value) if as_field else value
        return f"{prefix}{found}" if prefix else found

    return read


def _raw_reader(spec: FieldSpec, missing: frozenset[str]) -> Callable[[Row], object]:
    """Return what reads a value as it is written: joined, mapped, or what it is if missing."""
    gets = [getter(path, missing) for path in spec.sources]
    values, default, constant, others = spec.values, spec.default, spec.value, spec.others
    if not gets:
        return lambda _: constant
    get = gets[0]
    if len(gets) > 1:
        get = _first_of(gets) if spec.takes_first else _joining(gets, spec.separator)
    if values is None and default is None:
        return get

    def read(row: Row) -> object:
        value = get(row)
        if value is not None and values is not None:
            value = values.get(text_of(value) or "", value if others is None else others)
        return default if value is None or value == "" else value

    return read


def _first_of(gets: list[Callable[[Row], object]]) -> Callable[[Row], object]:
    def first(row: Row) -> object:
        return next((value for get in gets if (value := get(row)) is not None), None)

    return first


def _joining(gets: list[Callable[[Row], object]], separator: str) -> Callable[[Row], object]:
    def join(row: Row) -> object:
        texts = [text_of(get(row)) for get in gets]
        given = [text for text in texts if text is not None]
        return separator.join(given) if given else None

    return join


def _hash_reader(spec: FieldSpec, missing: frozenset[str], means: Means) -> ReadField:
    gets = [getter(path, missing) for path in spec.paths]
    prefix, key, default = spec.prefix, means.key, spec.default

    def read(row: Row, _: int) -> object:
        values = [get(row) for get in gets]
        hashed = keyed_hash(values, key) if spec.is_hashed else digest_of(values)
        return default if hashed is None else f"{prefix}{hashed}"

    return read


def _delay_reader(delay: float | str, missing: frozenset[str]) -> Callable[[Row], float] | None:
    if not isinstance(delay, str):
        return (lambda _: delay) if delay else None
    get = getter(delay, missing)

    def read(row: Row) -> float:
        value = get(row)
        try:
            days = float(value) if isinstance(value, int | float | str) else 0.0
        except ValueError:
            days = -1.0
        if not 0 <= days <= 3650:
            raise InvalidEvent("type", f"delay_days: expected days from 0 to 3650 in {delay}")
        return days

    return read


def _as_text(value: object) -> object:
    text = text_of(value)
    return value if text is None else text


def _as_code(value: object) -> object:
    """Return a category: 5812.0, as some programs write it, is 5812."""
    text = text_of(value)
    return value if text is None else text.removesuffix(".0")
