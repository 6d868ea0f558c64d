"""The field types that several events share, and the limits they carry."""

from string import ascii_uppercase
from typing import Annotated, Final

from msgspec import Meta

LARGEST_INTEGER: Final = 2**53 - 1  # the largest that every JSON reader holds exactly (RFC 8259)

Identifier = Annotated[str, Meta(min_length=1, max_length=128)]
# The contract sets no length for these strings; this one only keeps abuse out.
Text = Annotated[str, Meta(min_length=1, max_length=1024)]
# Any two letters or digits: a provider's own codes are told apart from none ("T1" is Tor at some).
# The pattern is checked by `country_code`, at a tenth of what a regular expression costs here.
Country = Annotated[
    str,
    Meta(min_length=2, max_length=2, extra_json_schema={"pattern": "^[A-Za-z0-9]{2}$"}),
]
# This one is checked by `is_currency`, for the same reason.
CurrencyInAnyCase = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=3,
        extra_json_schema={"pattern": "^[A-Za-z]{3}$"},
        extra={"expected": "a currency's three letters (ISO 4217)"},
    ),
]
Currency = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=3,
        extra_json_schema={"pattern": "^[a-z]{3}$"},
    ),
]
CategoryCode = Annotated[int, Meta(ge=0, le=9999)]
Amount = Annotated[int, Meta(ge=0, le=LARGEST_INTEGER)]
Timestamp = Annotated[float, Meta(ge=0)]
Offset = Annotated[int, Meta(ge=0)]

COUNTRIES: Final = frozenset(a + b for a in ascii_uppercase for b in ascii_uppercase)
"""Every code that may be a country's, in use or not."""


def country_code(text: str) -> str | None:
    """Return a country as events have it, `None` when the text is none.

    Examples
    --------
    >>> country_code("us"), country_code("T1"), country_code("é1")
    ('US', 'T1', None)
    """
    return text.upper() if len(text) == 2 and text.isascii() and text.isalnum() else None
