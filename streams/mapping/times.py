"""Times as providers write them, in Unix seconds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from schemas.rejected import InvalidEvent

if TYPE_CHECKING:
    from collections.abc import Callable

UNITS: Final = {
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "ns": 1e-9,
    "minutes": 60.0,
    "hours": 3600.0,
    "days": 86400.0,
}
"""Seconds of each unit."""

ISO: Final = "iso"
EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC).timestamp()
LATEST: Final = datetime(2101, 1, 1, tzinfo=UTC).timestamp()

_NUMBER: Final = re.compile(r"-?[0-9]{1,19}(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?", re.ASCII)
ABBREVIATIONS: Final = {
    **dict.fromkeys(("UTC", "GMT", "WET", "Z"), 0),
    **dict.fromkeys(("CET", "BST", "WEST"), 1),
    **dict.fromkeys(("CEST", "EET"), 2),
    **dict.fromkeys(("EEST", "MSK"), 3),
    **dict.fromkeys(("AST", "EDT"), -4),
    **dict.fromkeys(("EST", "CDT"), -5),
    **dict.fromkeys(("CST", "MDT"), -6),
    **dict.fromkeys(("MST", "PDT"), -7),
    "PST": -8,
    "JST": 9,
    "AEST": 10,
    "AEDT": 11,
}
"""Hours before UTC, by what a time may have behind it."""

_OFFSET: Final = re.compile(r"([+-])(\d\d):?(\d\d)", re.ASCII)
_TEXTS_KEPT: Final = 4096


@dataclass(frozen=True, slots=True)
class TimeSpec:
    """How times are written: as numbers of a unit, or as text.

    Attributes
    ----------
    unit
        Of `UNITS`, `None` for text.
    start
        What numbers count from, Unix seconds.
    format
        `iso`, or directives of strftime.
    zone
        Of texts that name none, at their end, as "2026-07-01 12:00:00 CEST".
    """

    unit: str | None = None
    start: float = 0.0
    format: str = ISO
    zone: str = "UTC"


def time_reader(spec: TimeSpec) -> Callable[[object], float]:
    """Return what makes a time Unix seconds.

    Examples
    --------
    >>> time_reader(TimeSpec("ms"))(1790000000123)
    1790000000.123
    >>> time_reader(TimeSpec(zone="Europe/Berlin"))("2026-07-01 12:00:00")
    1782900000.0
    >>> time_reader(TimeSpec(format="%d.%m.%Y %H:%M"))("01.07.2026 10:00")
    1782900000.0
    >>> time_reader(TimeSpec("s"))("1790000000123")
    Traceback (most recent call last):
    schemas.rejected.InvalidEvent: created: 1790000000123 is after 2100; it looks like ms
    """
    read = _number_reader(spec) if spec.unit else _text_reader(spec)

    def read_believable(value: object) -> float:
        time = read(value)
        if not EARLIEST <= time < LATEST:
            when = "before 1990" if time < EARLIEST else "after 2100"
            raise InvalidEvent("range", f"created: {value} is {when}{_hint(spec, value)}")
        return time

    return read_believable


def zone_of(name: str) -> tzinfo:
    """Return a zone by its name, or by its distance from UTC.

    Raises
    ------
    ValueError
        When there is none.

    Examples
    --------
    >>> zone_of("+05:30")
    datetime.timezone(datetime.timedelta(seconds=19800))
    """
    if name.upper() in ABBREVIATIONS:
        return timezone(timedelta(hours=ABBREVIATIONS[name.upper()]))
    if match := _OFFSET.fullmatch(name):
        distance = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return timezone(-distance if match[1] == "-" else distance)
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise ValueError(f"there is no zone {name}") from None


def _number_reader(spec: TimeSpec) -> Callable[[object], float]:
    scale, start, unit = UNITS[spec.unit or "s"], spec.start, spec.unit
    per_s = {"ms": 1e3, "us": 1e6, "ns": 1e9}.get(unit or "")

    def read(value: object) -> float:
        if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e20:
            raise InvalidEvent("type", f"created: expected a number ({unit}), got {_shown(value)}")
        # A division is exact to the last digit where a product is not.
        return start + (value / per_s if per_s else value * scale)

    return read


def _text_reader(spec: TimeSpec) -> Callable[[object], float]:
    assumed, pattern = zone_of(spec.zone), spec.format

    def parse(text: str) -> float:
        zone = assumed
        before, _, last = text.rpartition(" ")
        if last[:1].isalpha() and before and last.upper() not in {"AM", "PM"}:
            text, zone = before, zone_of(last)
        is_iso = pattern == ISO
        time = datetime.fromisoformat(text) if is_iso else datetime.strptime(text, pattern)
        return (time if time.tzinfo else time.replace(tzinfo=zone)).timestamp()

    parse_known = lru_cache(_TEXTS_KEPT)(parse)

    def read(value: object) -> float:
        text = value.strip() if isinstance(value, str) else ""
        try:
            return parse_known(text)
        except (ValueError, OverflowError):
            wanted = "an ISO 8601 time" if pattern == ISO else f"a time like {pattern}"
            raise InvalidEvent("type", f"created: expected {wanted}, got {_shown(value)}") from None

    return read


def _hint(spec: TimeSpec, value: object) -> str:
    """Name the unit in which a number is a time that is believed."""
    if spec.unit is None or spec.start or not isinstance(value, int | float | str):
        return ""
    number = float(value)
    for unit in ("s", "ms", "us", "ns"):
        if unit != spec.unit and EARLIEST <= number * UNITS[unit] < LATEST:
            return f"; it looks like {unit}"
    return "; is the unit another, or does it count from a `start`?"


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
