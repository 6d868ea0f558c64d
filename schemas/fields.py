"""The field types that several events share, and the limits they carry."""

from typing import Annotated, Final

from msgspec import Meta

LARGEST_INTEGER: Final = 2**53 - 1  # the largest that every JSON reader holds exactly (RFC 8259)

Identifier = Annotated[str, Meta(min_length=1, max_length=128)]
# The contract sets no length for these strings; this one only keeps abuse out.
Text = Annotated[str, Meta(min_length=1, max_length=1024)]
# Any two characters: a provider's own codes ("T1" is Tor at some) are no reason to lose a charge.
Country = Annotated[
    str,
    Meta(
        min_length=2,
        max_length=2,
        extra={"expected": "a country's two letters (ISO 3166-1 alpha-2)"},
    ),
]
# The pattern is checked by `is_currency`, at a tenth of what a regular expression costs here.
Currency = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=3,
        extra_json_schema={"pattern": "^[a-z]{3}$"},
        extra={"expected": "a currency's three lower-case letters (ISO 4217)"},
    ),
]
Amount = Annotated[int, Meta(gt=0, le=LARGEST_INTEGER)]
Timestamp = Annotated[float, Meta(ge=0)]
Offset = Annotated[int, Meta(ge=0)]
