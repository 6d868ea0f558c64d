"""One field of an event in a mapping: where it is from, and how it is written there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from schemas.currency import DECIMALS_MAX
from streams.mapping.amounts import AmountSpec
from streams.mapping.mistakes import Mistakes, quoted
from streams.mapping.times import ISO, UNITS, TimeSpec, zone_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    Table = Mapping[str, Any]

SCALARS: Final = (str, int, float, bool)

_SOURCES: Final = ("from", "first", "value", "row", "digest")
_COMMON: Final = ("from", "first", "separator", "value", "default", "map", "others")
_TEXTS: Final = (*_COMMON, "row", "digest", "hash", "prefix")
_AMOUNTS: Final = (*_COMMON, "unit", "decimals", "decimals_of", "decimal", "round", "negative")
_TIMES: Final = (*_COMMON, "unit", "start", "format", "zone")
_NEGATIVE: Final = ("reject", "leave_out", "absolute")


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field.

    Attributes
    ----------
    sources
        Paths, whose values are joined.
    takes_first
        Whether the first of them that is not missing counts instead.
    separator
        What is put between them.
    value
        A constant.
    default
        What a missing value is.
    values
        What values become, by their text.
    others
        What all other values become, an empty text for missing; `None` if they stay as they are.
    by_row
        Whether it is the number of the row.
    digest_of
        Paths of whose values it is a hash without a key, since there is nothing else to tell rows
        by.
    is_hashed
        Whether a keyed hash takes its place.
    prefix
        What is put before it.
    amount, time
        How it is written, of a field that is an amount or a time.
    """

    sources: tuple[str, ...] = ()
    takes_first: bool = False
    separator: str = " "
    value: object = None
    default: object = None
    values: Mapping[str, object] | None = None
    others: object = None
    by_row: bool = False
    digest_of: tuple[str, ...] = ()
    is_hashed: bool = False
    prefix: str = ""
    amount: AmountSpec | None = None
    time: TimeSpec | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """All that is read of a row for it."""
        return (*self.sources, *self.digest_of)


def read_field(
    name: str, given: object, place: str, mistakes: Mistakes, decimal: str = "."
) -> FieldSpec:
    """Return what a mapping says of a field, and add what is wrong with it to the mistakes."""
    if isinstance(given, str):
        given = {"from": given}
    if not isinstance(given, dict):
        mistakes.add(
            place, 'expected a column, such as "amt", or a table, such as { from = "amt" }'
        )
        return FieldSpec()
    known = {"amount": _AMOUNTS, "created": _TIMES}.get(name, _TEXTS)
    for key in given:
        if key not in known:
            mistakes.unknown(place, key, known)
    reading = _Reading(given, place, mistakes)
    if sum(key in given for key in _SOURCES) != 1:
        mistakes.add(
            place, "expected one of from, first, value" + (", row, digest" * (known is _TEXTS))
        )
    spec = FieldSpec(
        sources=reading.paths("from") or reading.paths("first"),
        takes_first="first" in given,
        separator=reading.text("separator", " "),
        value=reading.scalar("value"),
        default=reading.scalar("default"),
        values=reading.values("map"),
        others=reading.scalar("others"),
        by_row=reading.flag("row"),
        digest_of=reading.paths("digest"),
        is_hashed=reading.flag("hash"),
        prefix=reading.text("prefix", ""),
        amount=_amount(reading, decimal) if name == "amount" else None,
        time=_time(reading) if name == "created" else None,
    )
    if spec.is_hashed and not spec.sources:
        mistakes.add(f"{place}.hash", "there is nothing to hash without `from`")
    return spec


def _amount(reading: _Reading, decimal: str) -> AmountSpec:
    unit = reading.one_of("unit", ("major", "minor"), needed=True)
    decimals = reading.decimals("decimals", reading.given.get("decimals"))
    if "decimals" in reading.given and unit == "major":
        reading.wrong("decimals", 'is of unit = "minor"; major units have their decimals written')
    return AmountSpec(
        "minor" if unit == "minor" else "major",
        decimals,
        reading.decimals_of("decimals_of"),
        reading.one_of("decimal", (".", ",")) or decimal,
        reading.flag("round"),
        reading.one_of("negative", _NEGATIVE) or "reject",  # type: ignore[arg-type]
    )


def _time(reading: _Reading) -> TimeSpec:
    given = reading.given
    if ("unit" in given) == ("format" in given):
        units = ", ".join(UNITS)
        reading.wrong(
            "", f'expected unit (one of {units}) or format ("iso", or such as "%d/%m/%Y")'
        )
    unit = reading.one_of("unit", tuple(UNITS)) if "unit" in given else None
    if unit is None:
        if "start" in given:
            reading.wrong("start", "is of a time with a unit")
    elif "zone" in given:
        reading.wrong("zone", "is of a time with a format")
    zone = reading.text("zone", "UTC")
    try:
        zone_of(zone)
    except ValueError as error:
        reading.wrong("zone", f"{error}; expected such as Europe/Berlin, +02:00 or UTC")
        zone = "UTC"
    pattern = reading.text("format", ISO)
    if pattern != ISO and not _is_pattern(pattern):
        reading.wrong("format", f'expected "iso", or such as "%d/%m/%Y %H:%M", got {pattern!r}')
        pattern = ISO
    return TimeSpec(unit, reading.start("start"), pattern, zone)


def _is_pattern(pattern: str) -> bool:
    """Whether a format is one that can be read again."""
    try:
        datetime.strptime(datetime(2020, 2, 3, tzinfo=UTC).strftime(pattern), pattern)
    except ValueError:
        return False
    return "%" in pattern


class _Reading:
    """Reads the keys of one field's table."""

    def __init__(self, given: Table, place: str, mistakes: Mistakes) -> None:
        self.given = given
        self._place = place
        self._mistakes = mistakes

    def wrong(self, key: str, why: str) -> None:
        """Add what is wrong with a key."""
        self._mistakes.add(f"{self._place}.{key}" if key else self._place, why)

    def text(self, key: str, absent: str) -> str:
        value = self.given.get(key, absent)
        if isinstance(value, str):
            return value
        self.wrong(key, f"expected a text, got {quoted(value)}")
        return absent

    def flag(self, key: str) -> bool:
        value = self.given.get(key, False)
        if not isinstance(value, bool):
            self.wrong(key, f"expected true or false, got {quoted(value)}")
        return value is True

    def scalar(self, key: str) -> object:
        value = self.given.get(key)
        if key in self.given and not is_scalar(value):
            self.wrong(key, f"expected a text, a number, true or false, got {quoted(value)}")
            return None
        return value

    def paths(self, key: str) -> tuple[str, ...]:
        if key not in self.given:
            return ()
        value = self.given[key]
        paths = [value] if isinstance(value, str) else value
        if not isinstance(paths, list) or not paths or not all(map(_is_path, paths)):
            self.wrong(key, f"expected a column, or a list of them, got {quoted(value)}")
            return ()
        return tuple(paths)

    def values(self, key: str) -> Mapping[str, object] | None:
        value = self.given.get(key)
        if value is None:
            return None
        if not isinstance(value, dict) or not all(map(is_scalar, value.values())):
            self.wrong(key, 'expected values by text, such as { "M" = "in_person" }')
            return None
        return value

    def one_of(self, key: str, known: tuple[str, ...], *, needed: bool = False) -> str | None:
        value = self.given.get(key)
        if value in known and isinstance(value, str):
            return value
        if needed or key in self.given:
            got = quoted(value) if key in self.given else "none"
            self.wrong(key, f"expected one of {', '.join(known)}, got {got}")
        return None

    def decimals(self, key: str, value: object) -> int | None:
        if value is None:
            return None
        if type(value) is not int or not 0 <= value <= DECIMALS_MAX:
            self.wrong(key, f"expected an integer from 0 to {DECIMALS_MAX}, got {quoted(value)}")
            return None
        return value

    def decimals_of(self, key: str) -> dict[str, int]:
        value = self.given.get(key, {})
        if not isinstance(value, dict):
            self.wrong(key, "expected decimals by currency, such as { isk = 2 }")
            return {}
        found = {
            code.lower(): self.decimals(f"{key}.{quoted(code)}", each)
            for code, each in value.items()
        }
        return {code: decimals for code, decimals in found.items() if decimals is not None}

    def start(self, key: str) -> float:
        value = self.given.get(key, 0)
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                self.wrong(key, f"expected a time such as 2017-12-01, got {quoted(value)}")
                return 0.0
        elif hasattr(value, "isoformat") and not isinstance(value, datetime):  # a date of TOML
            try:
                value = datetime.fromisoformat(value.isoformat())
            except ValueError:
                value = None
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        if type(value) in {int, float} and math.isfinite(value):
            return float(value)
        self.wrong(key, "expected a time such as 2017-12-01")
        return 0.0


def is_scalar(value: object) -> bool:
    """Whether a value is one that a field of an event may have."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, SCALARS)


def _is_path(value: object) -> bool:
    return isinstance(value, str) and bool(value)
