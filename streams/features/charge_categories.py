"""The charge's own categories, as codes from which a model learns which of them are bad."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.compiled import compiled
from streams.events.rows import CATEGORY_CODES, COUNTRY, OTHER, currency_of
from streams.features.spec import Feature, column

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.features.windows import Vector

_COUNTRY_OF = {code: country or "" for country, code in COUNTRY.items()}
_OTHER_COUNTRY = len(COUNTRY)
"""Place of `OTHER` behind the countries, where two of them make one code."""

_COUNTRIES = _OTHER_COUNTRY + 1

assert _COUNTRIES**2 <= CATEGORY_CODES


def _category(code: int) -> str:
    if code == 0:
        return "not known"
    return "other" if code == OTHER else f"{code:04d}"


def _pair(code: int) -> str:
    """Return the countries of a pair's code.

    >>> _pair(COUNTRY["FR"] * _COUNTRIES + COUNTRY["US"])
    'FR and US'
    """
    if code == 0:
        return "countries that are not known"
    return " and ".join(_COUNTRY_OF.get(country, "other") for country in divmod(code, _COUNTRIES))


def _feature(
    name: str, missing: str, text: str, in_words: Callable[[int], str] | None = None
) -> Feature:
    return Feature(
        f"{name}_category", "charge", "category", "category", missing, text, in_words=in_words
    )


CATEGORY_FEATURES = (
    _feature("mcc", "0", "the shop's category is {value}", _category),
    _feature("currency", "never", "paid in {value}", currency_of),
    _feature("payment_method", "0", "the payment method"),
    _feature("card_and_merchant_country", "0", "card and shop are from {value}", _pair),
    _feature("card_and_ip_country", "0", "card and IP address are from {value}", _pair),
)

MCC = column(CATEGORY_FEATURES, "mcc_category")
CURRENCY = column(CATEGORY_FEATURES, "currency_category")
PAYMENT_METHOD = column(CATEGORY_FEATURES, "payment_method_category")
CARD_AND_MERCHANT = column(CATEGORY_FEATURES, "card_and_merchant_country_category")
CARD_AND_IP = column(CATEGORY_FEATURES, "card_and_ip_country_category")


@compiled
def categories(event: Any, row: Vector) -> None:
    """Write the codes of the categories."""
    row[MCC] = event.mcc
    row[CURRENCY] = event.currency
    row[PAYMENT_METHOD] = event.method
    row[CARD_AND_MERCHANT] = pair(event.card_country, event.merchant_country)
    row[CARD_AND_IP] = pair(event.card_country, event.ip_country)


@compiled
def pair(one: int, other: int) -> int:
    """Return the code of two countries, 0 unless both are known."""
    if min(one, other) == 0:
        return 0
    return min(one, _OTHER_COUNTRY) * _COUNTRIES + min(other, _OTHER_COUNTRY)
