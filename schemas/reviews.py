"""What analysts do at a charge beside their verdict: claims, and notes."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.edits import Author, decoded
from schemas.fields import Identifier, Text, Timestamp
from schemas.rejected import InvalidEvent

Kind = Literal["claim", "release", "note"]

NOTE_CHARACTERS_MAX: Final = 4000


class Review(Struct, frozen=True, omit_defaults=True):
    """One entry, keyed by card on the topic `chargewatch.reviews`.

    The first claim of a charge wins until it is released or has run out; whoever has it may claim
    again, to have it for longer. Entries of a charge count in the order of their partition.
    """

    id: Annotated[Text, Meta(description="unique id of the entry")]
    charge: Annotated[Identifier, Meta(description="the charge it is about")]
    card: Annotated[Identifier, Meta(description="the card of that charge")]
    created: Annotated[Timestamp, Meta(description="when it was made, Unix seconds, wall clock")]
    by: Author
    kind: Annotated[Kind, Meta(description="`claim`, `release` of one's own claim, or `note`")]
    until: Annotated[
        Timestamp | None, Meta(description="of a claim: when it has run out, Unix seconds")
    ] = None
    text: Annotated[
        str, Meta(max_length=NOTE_CHARACTERS_MAX, description="of a note: what it says")
    ] = ""


def encode_review(review: Review) -> bytes:
    """Return the payload of an entry."""
    return _ENCODER.encode(review)


def decode_review(value: bytes) -> Review:
    """Return the entry of a payload.

    Raises
    ------
    InvalidEvent
        With reason `json` or `type` when the payload is none, with `missing` where a claim does not
        say when it has run out.

    Examples
    --------
    >>> claim = Review("r1", "ch_1", "card_1", 5.0, "ann", "claim", 905.0)
    >>> decode_review(encode_review(claim)) == claim
    True
    """
    review = decoded(_DECODER, value, "review")
    if review.kind == "claim" and review.until is None:
        raise InvalidEvent("missing", "until: required of a claim")
    return review


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Review)
