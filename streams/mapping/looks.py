"""What values look like: times, amounts, codes, labels; told by patterns that most of them fit."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from schemas.card_numbers import contains_card_number
from schemas.currency import bundled_rates
from streams.mapping.times import EARLIEST, LATEST, UNITS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MOST: Final = 0.9
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_INTEGER: Final = re.compile(r"[+-]?[0-9]+(\.0+)?", re.ASCII)
_MONEY: Final = re.compile(r"[^0-9A-Za-z]{0,3}[0-9][0-9.,'\s]*[^0-9A-Za-z]{0,3}", re.ASCII)
_COMMA: Final = re.compile(r"[0-9]+,[0-9]{1,2}", re.ASCII)
_GROUPED: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{3})+,[0-9]{1,2}", re.ASCII)
_PLAIN: Final = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_CLOCK: Final = re.compile(r"([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?", re.ASCII)
_ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_FORMATS: Final = (
    "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%d.%m.%y %H:%M", "%d.%m.%y",
    "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M",
    "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%m/%d/%Y", "%d/%m/%Y",
    "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d", "%Y%m%d%H%M%S", "%Y%m%d %H:%M:%S",
    "%d-%m-%Y %H:%M:%S", "%d-%m-%Y %H:%M", "%d-%m-%Y", "%d %b %Y %H:%M:%S", "%d-%b-%Y %H:%M:%S",
    "%d-%b-%y", "%b %d, %Y %H:%M:%S", "%Y%m%d",
)  # fmt: skip
YES: Final = ("1", "true", "yes", "y", "t", "fraud", "ja", "oui", "si", "sim", "tak")
NO: Final = ("0", "false", "no", "n", "f", "genuine", "nein", "non", "nao", "nie", "legit")


class Look(NamedTuple):
    """What values look like: a part of a field's TOML, and what is not sure of it."""

    toml: str
    doubt: str = ""


def fits(values: Sequence[str], test: Callable[[str], object]) -> bool:
    """Return whether most of some values pass a test."""
    return bool(values) and sum(bool(test(value)) for value in values) >= _MOST * len(values)


def time_look(values: Sequence[str]) -> Look | None:
    """Return how times are written, `None` where they are none.

    Examples
    --------
    >>> time_look(["1790000000123"]), time_look(["2026-09-21T14:13:20Z"])
    (Look(toml='unit = "ms"', doubt=''), Look(toml='format = "iso"', doubt=''))
    >>> time_look(["21.09.2026 14:13"]).toml, time_look(["0", "0", "1.5"]).toml
    ('format = "%d.%m.%Y %H:%M"', 'unit = "s", start = 2020-01-01T00:00:00Z')
    """
    if fits(values, _NUMBER.fullmatch):
        return _number_time(values)
    if fits(values, _is_iso):
        zoned = fits(values, lambda value: datetime.fromisoformat(value).tzinfo)
        return Look('format = "iso"', "" if zoned else "the times name no zone: taken for UTC")
    known = [pattern for pattern in _FORMATS if fits(values, lambda v, p=pattern: _parses(v, p))]  # type: ignore[misc]
    if not known:
        return None
    is_ambiguous = len(known) > 1 and known[0][:5] != known[1][:5]
    doubt = f"may also be {known[1]}" if is_ambiguous else "the times name no zone: taken for UTC"
    return Look(f'format = "{known[0]}"', doubt)


def amount_look(values: Sequence[str], name: str) -> Look | None:
    """Return how amounts are written, `None` where they are none.

    Examples
    --------
    >>> amount_look(["12.30", "5"], "amt"), amount_look(["12,30", "5"], "Betrag").toml
    (Look(toml='unit = "major"', doubt=''), 'unit = "major", decimal = ","')
    >>> amount_look(["1999", "500"], "amount_cents").toml
    'unit = "minor"'
    """
    if not fits(values, lambda value: _MONEY.fullmatch(value.lstrip("-"))):
        return None
    if any(_COMMA.fullmatch(v) or _GROUPED.fullmatch(v) for v in values):
        return Look('unit = "major", decimal = ","')
    parts = 'unit = "major"'
    decimals = [len(value.partition(".")[2].rstrip("0")) for value in values]
    if any(decimals):
        odd = max(decimals) > 2
        return Look(
            f"{parts}, round = true" if odd else parts,
            "some have more than two decimals: they are rounded" if odd else "",
        )
    low = name.lower()
    if "cent" in low or "minor" in low:
        return Look('unit = "minor"')
    if any("." in value for value in values):
        return Look(parts)
    return Look('unit = "minor"', 'no amount has decimals: unit = "major" if these are whole ones')


def is_currency(values: Sequence[str]) -> bool:
    """Return whether values are codes of currencies."""
    rates = bundled_rates()
    return fits(values, lambda value: value.lower() in rates)


def is_country(values: Sequence[str]) -> bool:
    """Return whether values are codes of countries."""
    return fits(values, lambda value: len(value) == 2 and value.isalpha() and value.isascii())


def is_category(values: Sequence[str]) -> bool:
    """Return whether values are category codes."""
    return fits(values, lambda value: value.removesuffix(".0").isdecimal() and len(value) < 7)


def is_clock(values: Sequence[str]) -> bool:
    """Return whether values are times of day."""
    return fits(values, _CLOCK.fullmatch)


def is_integer(values: Sequence[str]) -> bool:
    """Return whether values are whole numbers."""
    return fits(values, _INTEGER.fullmatch)


def is_address(values: Sequence[str]) -> bool:
    """Return whether values are e-mail addresses."""
    return fits(values, _ADDRESS.fullmatch)


def has_card_numbers(values: Sequence[str]) -> bool:
    """Return whether some values are like card numbers, or digits of their length."""
    return any(contains_card_number(value) for value in values) or fits(
        values, lambda value: value.isdecimal() and 13 <= len(value) <= 19
    )


def label_value(values: Sequence[str]) -> str | None:
    """Return the value by which frauds are marked, `None` where values are no label.

    Examples
    --------
    >>> label_value(["0", "0", "1"]), label_value(["No", "Yes"]), label_value(["0.0", "0.0"])
    ('1', 'Yes', '1')
    >>> label_value(["a", "b"])
    """
    distinct = dict.fromkeys(values)
    plain = {value: value.lower().removesuffix(".0") for value in distinct}
    if not plain or not set(plain.values()) <= {*YES, *NO}:
        return None
    marked = [value.removesuffix(".0") for value, low in plain.items() if low in YES]
    if marked:
        return marked[0]
    low = next(iter(plain.values()))
    yes = YES[NO.index(low)]
    first = next(iter(distinct))
    return yes.upper() if first.isupper() else yes.capitalize() if first[0].isupper() else yes


def are_numbers(values: Sequence[str]) -> bool:
    """Return whether values are written as numbers are, some of them with a fraction."""
    return all(_PLAIN.fullmatch(value) for value in values) and any("." in v for v in values)


def _number_time(values: Sequence[str]) -> Look | None:
    numbers = [float(value) for value in values if _NUMBER.fullmatch(value)]
    if all(len(value) == 8 and _parses(value, "%Y%m%d") for value in values):
        return Look('format = "%Y%m%d"', "there is no time of day")
    if all(len(value) == 14 and _parses(value, "%Y%m%d%H%M%S") for value in values):
        return Look('format = "%Y%m%d%H%M%S"', "the times name no zone: taken for UTC")
    for unit in ("s", "ms", "us", "ns"):
        if all(EARLIEST <= number * UNITS[unit] < LATEST for number in numbers):
            return Look(f'unit = "{unit}"')
    if min(numbers) < 0 or max(numbers) > 2e8 or numbers != sorted(numbers):
        return None
    return Look(
        'unit = "s", start = 2020-01-01T00:00:00Z',
        "counts from a start that is not told; the unit may be hours or days",
    )


def _is_iso(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return len(value) >= 8


def _parses(value: str, pattern: str) -> bool:
    try:
        datetime.strptime(value, pattern)
    except ValueError:
        return False
    return True
