"""Amounts as providers write them, in minor units of their currency."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Final, Literal

from schemas.rejected import InvalidEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Unit = Literal["major", "minor"]
Negative = Literal["reject", "leave_out", "absolute"]

_SIGNS: Final = re.compile(r"[\s'\u00a0\u202f\u2019]|[A-Za-z]{3}\b|\b[A-Za-z]{3}|[$€£¥₹₽₺₩₪]")
# What separates thousands has three digits behind it, and no more after the decimal sign: of others
# it is not known what they are.
_GROUPED: Final = {
    ".": re.compile(r",(?=[0-9]{3}(?![0-9])(?:,[0-9]{3})*(?:[.)-]|$))"),
    ",": re.compile(r"\.(?=[0-9]{3}(?![0-9])(?:\.[0-9]{3})*(?:[,)-]|$))"),
}
_TEXT: Final = re.compile(r"([+-]?)([0-9]{1,18})(?:\.([0-9]{0,18}))?", re.ASCII)
_BOTH: Final = re.compile(r"[0-9][.,][0-9]")
_POWERS: Final[tuple[int, ...]] = tuple(10**n for n in range(40))


class LeftOut(Exception):  # noqa: N818 - it is no error
    """The row is no charge."""


@dataclass(frozen=True, slots=True)
class AmountSpec:
    """How amounts are written.

    Attributes
    ----------
    unit
        Of which.
    decimals
        Of the provider's minor unit; `None` for those of the currency.
    decimals_of
        Those of a currency in lower case, where the provider has its own.
    decimal
        The decimal sign.
    rounds
        Whether a fraction of a minor unit is rounded.
    negative
        What becomes of a negative amount.
    """

    unit: Unit
    decimals: int | None = None
    decimals_of: Mapping[str, int] = field(default_factory=dict)
    decimal: str = "."
    rounds: bool = False
    negative: Negative = "reject"


def amount_reader(spec: AmountSpec, decimals: Mapping[str, int]) -> Callable[[object, object], int]:
    """Return what makes an amount and a currency an amount in minor units.

    Parameters
    ----------
    spec
        How amounts are written.
    decimals
        Of the currencies, by code in lower case.

    Examples
    --------
    >>> read = amount_reader(AmountSpec("major"), {"usd": 2, "jpy": 0})
    >>> read("$1,234.5", "USD"), read(12.3, "usd"), read("500", "jpy")
    (123450, 1230, 500)
    >>> read("12,50", "usd")
    Traceback (most recent call last):
    schemas.rejected.InvalidEvent: amount: expected a number, got 12,50; is `decimal` another?
    >>> read("12.345", "usd")
    Traceback (most recent call last):
    schemas.rejected.InvalidEvent: amount: 12.345 usd has a fraction of a minor unit; ...
    >>> amount_reader(AmountSpec("minor", decimals_of={"isk": 2}), {"isk": 0})(1200, "isk")
    12
    """

    def read(value: object, currency: object) -> int:
        code = currency.lower() if isinstance(currency, str) else ""
        own = decimals.get(code)
        if own is None:
            raise InvalidEvent("range", f"currency: expected one with a rate, got {code or 'none'}")
        digits, places = _digits(value, spec.decimal)
        if spec.unit == "minor":
            given = spec.decimals_of.get(code, spec.decimals)
            places += own if given is None else given
        amount = _scaled(digits, own - places, value, code, rounds=spec.rounds)
        return amount if amount >= 0 else _of_negative(amount, spec.negative, value)

    return read


def _of_negative(amount: int, negative: Negative, value: object) -> int:
    if negative == "absolute":
        return -amount
    if negative == "leave_out":
        raise LeftOut
    raise InvalidEvent(
        "range",
        f"amount: expected at least 0, got {_shown(value)}; `negative` says what becomes of it",
    )


def _scaled(digits: int, power: int, value: object, code: str, *, rounds: bool) -> int:
    if power >= 0:
        return digits * _POWERS[power]
    whole, rest = divmod(digits, _POWERS[-power])
    if not rest:
        return whole
    if rounds:
        return int(Decimal(digits).scaleb(power).to_integral_value(ROUND_HALF_EVEN))
    raise InvalidEvent(
        "range",
        f"amount: {_shown(value)} {code} has a fraction of a minor unit; is the unit, or the "
        "currency, another? `round = true` rounds it",
    )


def _digits(value: object, decimal: str) -> tuple[int, int]:
    """Return an integer and how many of its digits are decimals."""
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) < _POWERS[18]:
            return value, 0
    elif isinstance(value, float | str):
        match = _TEXT.fullmatch(value) if isinstance(value, str) and decimal == "." else None
        if match := match or _TEXT.fullmatch(_plain(value, decimal)):
            sign, whole, fraction = match.groups(default="")
            digits = int(whole + fraction)
            return (-digits if sign == "-" else digits), len(fraction)
    hint = "; is `decimal` another?" if isinstance(value, str) and _BOTH.search(value) else ""
    raise InvalidEvent("type", f"amount: expected a number, got {_shown(value)}{hint}")


def _plain(value: float | str, decimal: str) -> str:
    """Return a number as it is in programs: without signs of currencies and of thousands."""
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f") if abs(value) < 1e18 else ""
    text = _SIGNS.sub("", value[:64])
    text = _GROUPED[decimal].sub("", text).replace(decimal, ".")
    if text.startswith("(") and text.endswith(")"):  # as in books
        text = f"-{text[1:-1]}"
    return f"-{text[:-1]}" if text.endswith("-") else text


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
