"""Amounts of every currency on one scale, for features: not for accounting."""

from types import MappingProxyType
from typing import Final

_EXPONENTS: Final = {
    **dict.fromkeys(
        [
            "bif",
            "clp",
            "djf",
            "gnf",
            "isk",
            "jpy",
            "kmf",
            "krw",
            "pyg",
            "rwf",
            "ugx",
            "uyi",
            "vnd",
            "vuv",
            "xaf",
            "xof",
            "xpf",
        ],
        0,
    ),
    **dict.fromkeys(["bhd", "iqd", "jod", "kwd", "lyd", "omr", "tnd"], 3),
    **dict.fromkeys(["clf", "uyw"], 4),
}
"""Digits of the minor unit where they are not two (ISO 4217, list one)."""

# US dollars for one major unit, rounded averages of 2024. They are fixed on purpose: a score must
# not depend on the day it is computed, and a feature needs the order of magnitude alone.
_USD: Final = {
    "aed": 0.27, "ars": 0.0011, "aud": 0.66, "bdt": 0.0087, "bgn": 0.55, "bhd": 2.65,
    "bif": 0.00035, "brl": 0.19, "cad": 0.73, "chf": 1.14, "clf": 40.0, "clp": 0.0011,
    "cny": 0.14, "cop": 0.00025, "crc": 0.0019, "czk": 0.043, "djf": 0.0056, "dkk": 0.145,
    "dop": 0.017, "dzd": 0.0075, "egp": 0.022, "eur": 1.08, "gbp": 1.28, "ghs": 0.07,
    "gnf": 0.00012, "hkd": 0.128, "huf": 0.0027, "idr": 0.000063, "ils": 0.27, "inr": 0.012,
    "iqd": 0.00076, "isk": 0.0072, "jod": 1.41, "jpy": 0.0066, "kes": 0.0074, "kmf": 0.0022,
    "krw": 0.00073, "kwd": 3.26, "kzt": 0.0021, "lkr": 0.0033, "lyd": 0.21, "mad": 0.1,
    "mxn": 0.055, "myr": 0.22, "ngn": 0.00068, "nok": 0.093, "nzd": 0.605, "omr": 2.6,
    "pen": 0.27, "php": 0.0175, "pkr": 0.0036, "pln": 0.25, "pyg": 0.00013, "qar": 0.27,
    "ron": 0.22, "rsd": 0.0092, "rub": 0.011, "rwf": 0.00076, "sar": 0.27, "sek": 0.095,
    "sgd": 0.75, "thb": 0.028, "tnd": 0.32, "try": 0.03, "twd": 0.031, "tzs": 0.00038,
    "uah": 0.025, "ugx": 0.00027, "usd": 1.0, "uyi": 0.15, "uyu": 0.025, "uyw": 0.15,
    "vnd": 0.00004, "vuv": 0.0084, "xaf": 0.00165, "xof": 0.00165, "xpf": 0.0091, "zar": 0.055,
}  # fmt: skip


def is_currency(code: str) -> bool:
    """Whether a code has the form of a currency: three lower-case ASCII letters.

    Which codes are in use is not checked, so that a new one needs no new version.

    Examples
    --------
    >>> is_currency("usd"), is_currency("USD"), is_currency("us")
    (True, False, False)
    """
    return len(code) == 3 and code.isascii() and code.isalpha() and code.islower()


def minor_unit_exponent(currency: str) -> int:
    """Return how many decimals the currency's minor unit has; two when it is not known.

    Examples
    --------
    >>> minor_unit_exponent("usd"), minor_unit_exponent("jpy"), minor_unit_exponent("bhd")
    (2, 0, 3)
    """
    return _EXPONENTS.get(currency, 2)


_UNKNOWN: Final = 0.01
_REFERENCE: Final = MappingProxyType(
    {
        code: _USD.get(code, 1.0) * 10.0 ** -minor_unit_exponent(code)
        for code in {*_EXPONENTS, *_USD}
    }
)


def reference_amount(amount: int, currency: str) -> float:
    """Return an amount of minor units in US dollars, by a fixed and approximate rate.

    A currency without a rate counts one dollar for its major unit of 100 minor units.

    Examples
    --------
    >>> reference_amount(1999, "usd"), round(reference_amount(1000, "jpy"), 6)
    (19.990000000000002, 6.6)
    """
    return amount * _REFERENCE.get(currency, _UNKNOWN)
