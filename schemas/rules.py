"""The record of a merchant's rules: the whole set, so that an edit is whole or not there."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from schemas.edits import Author, MadeFrom, MerchantKey, Note, Version, WrittenAt, decoded

RULES_TEXT_MAX: Final = 500_000


class MerchantRules(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The rules of a merchant, or those for all, keyed by the merchant on the topic `rules`."""

    merchant: MerchantKey
    version: Version
    text: Annotated[
        str,
        Meta(
            max_length=RULES_TEXT_MAX,
            description="one rule a line, in the language of rules; empty for no rules",
        ),
    ]
    made_from: MadeFrom = 0
    by: Author = ""
    at: WrittenAt = 0.0
    note: Note = ""


def encode_rules(record: MerchantRules) -> bytes:
    """Return the payload of a record."""
    return _ENCODER.encode(record)


def decode_rules(value: bytes) -> MerchantRules:
    """Return the record of a payload; the text of the rules is not read.

    Raises
    ------
    InvalidEvent
        With reason `json` or `type` when the payload is none.
    """
    return decoded(_DECODER, value, "rules")


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(MerchantRules)
