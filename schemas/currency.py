"""Amounts of every currency on one scale, for features: not for accounting."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

BUNDLED: Final = Path(__file__).parent / "currencies.toml"
"""The rates that hold where the setting `currency_rates` names no others."""

DECIMALS_MAX: Final = 8
_FIELDS: Final = {"decimals", "usd"}
_OLD_DAYS: Final = 366


class RatesError(ValueError):
    """A file of rates cannot be used; the message names the file and the entry."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What is known of currencies.

    A score depends on the rates alone, and not on the day: a feature needs the order of magnitude.

    Attributes
    ----------
    file
        Where they are from.
    day
        Of when they are.
    decimals
        Digits of the minor unit, by code in lower case.
    usd_per_minor_unit
        US dollars for one minor unit, by code in lower case.

    Examples
    --------
    >>> rates = bundled_rates()
    >>> rates.usd(1999, "usd"), rates.decimals["jpy"], "xyz" in rates
    (19.990000000000002, 0, False)
    """

    file: Path
    day: date
    decimals: Mapping[str, int]
    usd_per_minor_unit: Mapping[str, float]

    def __contains__(self, currency: str) -> bool:
        return currency in self.usd_per_minor_unit

    def usd(self, amount: int, currency: str) -> float:
        """Return an amount of minor units in US dollars.

        Raises
        ------
        KeyError
            When there is no rate: an amount is never guessed.
        """
        return amount * self.usd_per_minor_unit[currency]

    def are_old(self, today: date) -> bool:
        """Whether they are from more than a year ago."""
        return (today - self.day).days > _OLD_DAYS


def is_currency(code: str) -> bool:
    """Whether a code has the form of a currency: three lower-case ASCII letters.

    Examples
    --------
    >>> is_currency("usd"), is_currency("USD"), is_currency("us")
    (True, False, False)
    """
    return len(code) == 3 and code.isascii() and code.isalpha() and code.islower()


@cache
def bundled_rates() -> Rates:
    """Return the rates that come with Chargewatch."""
    return read_rates(BUNDLED)


def read_rates(file: Path) -> Rates:
    """Read a file of rates; `currencies.toml` shows how it is written.

    Raises
    ------
    RatesError
        When it cannot be read, or an entry is missing or wrong.
    """
    document = _parse(file)
    of = document.pop("date", None)
    if not isinstance(of, date) or isinstance(of, datetime):
        raise RatesError(f"{file}: date: expected the day of the rates, such as 2026-09-29")
    currencies = document.pop("currencies", None)
    if not isinstance(currencies, dict):
        raise RatesError(f"{file}: currencies: expected a table")
    for name in document:
        raise RatesError(f"{file}: {name}: there is no such entry")
    for code, entry in currencies.items():
        _check(f"{file}: currencies.{code}", code, entry)
    if currencies.get("usd", {}).get("usd") != 1:
        raise RatesError(f"{file}: currencies.usd.usd: expected 1, as rates are in US dollars")
    return Rates(
        file,
        of,
        {code: entry["decimals"] for code, entry in currencies.items()},
        {code: entry["usd"] * 10.0 ** -entry["decimals"] for code, entry in currencies.items()},
    )


def _parse(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise RatesError(f"{file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RatesError(f"{file}: {error}") from None


def _check(label: str, code: str, entry: object) -> None:
    if not is_currency(code):
        raise RatesError(f"{label}: expected a code of three lower-case letters (ISO 4217)")
    if not isinstance(entry, dict) or set(entry) != _FIELDS:
        raise RatesError(f"{label}: expected decimals and usd, such as {{ decimals = 2, usd = 1 }}")
    decimals, usd = entry["decimals"], entry["usd"]
    if type(decimals) is not int or not 0 <= decimals <= DECIMALS_MAX:
        raise RatesError(
            f"{label}.decimals: expected an integer from 0 to {DECIMALS_MAX}, got {decimals!r}"
        )
    if type(usd) not in (int, float) or not (math.isfinite(usd) and usd > 0):
        raise RatesError(f"{label}.usd: expected a number above 0, got {usd!r}")
