"""What a refused input looks like, and what to do about it: added to the message that refuses it.

Nothing is converted: a guess that is wrong would be another time, or another amount of money.
"""

import re
from datetime import UTC, datetime
from typing import Final

import orjson

from schemas.envelopes import envelope_in, event_in
from schemas.rejected import InvalidEvent
from schemas.unusable import unusable_in

# Seconds of the years 1973 to 5138, in other units; no two of the ranges meet.
_UNITS: Final = (
    (1e11, "milliseconds", "1,000"),
    (1e14, "microseconds", "1,000,000"),
    (1e17, "nanoseconds", "1,000,000,000"),
)
_UNIT_RANGE: Final = 1000.0

_ISO: Final = re.compile(r"\d{4}-?\d\d-?\d\d([T ]\d\d:?\d\d.*)?", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,20}(\.\d*)?", re.ASCII)
_DECIMAL: Final = re.compile(r"-?\d+[.,]\d+", re.ASCII)


def explained(error: InvalidEvent, value: bytes | None) -> InvalidEvent:
    """Return the error for an input, its message with what the input looks like.

    Parameters
    ----------
    error
        Why it is refused.
    value
        Its payload.

    Examples
    --------
    >>> error = InvalidEvent("type", 'created: expected a number, got "2026-09-21 14:13:20Z"')
    >>> print(str(explained(error, b'{"created":"2026-09-21 14:13:20Z"}')).partition("; ")[2])
    it looks like a date and time in text: write Unix seconds, 1790000000
    """
    if value is None or error.reason not in {"json", "missing", "type", "range"}:
        return error
    fields = _fields(value)
    if unusable := unusable_in(fields):
        return unusable
    while (inside := event_in(fields)) is not None:
        fields = inside
    if envelope := envelope_in(value, fields):
        said = f"{error}; it {envelope}" if error.reason == "json" else f"payload: {envelope}"
        return InvalidEvent(error.reason, said)
    if not isinstance(fields, dict):
        return error
    name = str(error).partition(":")[0]
    hint = ""
    if name == "created":
        hint = time_hint(fields.get(name))
    elif name == "amount":
        hint = amount_hint(fields.get(name))
    return InvalidEvent(error.reason, f"{error}{hint}") if hint else error


def time_hint(content: object) -> str:
    """Return what to do about a `created` that is no Unix time, nothing where that is unknown.

    Examples
    --------
    >>> time_hint(1790000000123)
    '; it looks like milliseconds: divide by 1,000'
    >>> time_hint("2026-09-21T14:13:20Z")
    '; it looks like a date and time in text: write Unix seconds, 1790000000'
    >>> time_hint("2026-09-21")
    '; it looks like a date without a time of day: write when it happened in Unix seconds'
    >>> time_hint(1790000000)
    ''
    """
    if isinstance(content, int | float):
        return _unit_hint(content)
    if not isinstance(content, str):
        return ""
    if _NUMBER.fullmatch(content):
        return _unit_hint(float(content))
    if match := _ISO.fullmatch(content):
        return _iso_hint(content) if match[1] else _DATE_HINT
    return _TEXT_HINT if any(map(str.isdigit, content)) else ""


def amount_hint(content: object) -> str:
    """Return what to do about an `amount` that is no number of minor units.

    Examples
    --------
    >>> amount_hint(19.99)
    '; it looks like major units: write minor units (1999 for 19.99 USD, 20 for 20 JPY)'
    """
    is_major = (isinstance(content, float) and not content.is_integer()) or (
        isinstance(content, str) and _DECIMAL.fullmatch(content) is not None
    )
    return _MAJOR_HINT if is_major else ""


_TEXT_HINT: Final = "; it looks like a date and time in text: write Unix seconds"
_DATE_HINT: Final = (
    "; it looks like a date without a time of day: write when it happened in Unix seconds"
)
_MAJOR_HINT: Final = (
    "; it looks like major units: write minor units (1999 for 19.99 USD, 20 for 20 JPY)"
)


def _unit_hint(number: float) -> str:
    for least, unit, divisor in _UNITS:
        if least <= number < least * _UNIT_RANGE:
            return f"; it looks like {unit}: divide by {divisor}"
    return ""


def _iso_hint(content: str) -> str:
    try:
        time = datetime.fromisoformat(content)
    except ValueError:
        return _TEXT_HINT
    zoned = time if time.tzinfo else time.replace(tzinfo=UTC)
    seconds = f"{zoned.timestamp():.6f}".rstrip("0").rstrip(".")
    return f"{_TEXT_HINT}, {seconds}" if time.tzinfo else f"{_TEXT_HINT} ({seconds} if it is UTC)"


def _fields(value: bytes) -> object:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
