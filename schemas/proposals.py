"""Rules that somebody has proposed, and what somebody else has decided about them."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.edits import NOTE_MAX, Author, MadeFrom, MerchantKey, Note, WrittenAt, decoded
from schemas.rules import RULES_TEXT_MAX

Decision = Literal["approved", "declined"]


class RulesProposal(Struct, frozen=True, omit_defaults=True):
    """A whole set of rules, keyed by its id on the topic `chargewatch.proposals`.

    It is written again, under the same key, once it is decided.
    """

    id: Annotated[str, Meta(pattern="^[0-9a-f]{16}$", description="unique; drawn at random")]
    merchant: MerchantKey
    text: Annotated[
        str,
        Meta(max_length=RULES_TEXT_MAX, description="in place of what is there, as in `rules`"),
    ]
    made_from: MadeFrom
    by: Author
    at: WrittenAt
    note: Note = ""
    decision: Annotated[
        Decision | None, Meta(description="what was decided; absent while it waits")
    ] = None
    decided_by: Annotated[str, Meta(max_length=128, description="who decided it")] = ""
    decided_at: Annotated[float, Meta(ge=0, description="when, Unix seconds, wall clock")] = 0.0
    decided_note: Annotated[str, Meta(max_length=NOTE_MAX, description="why")] = ""
    version: Annotated[
        int, Meta(ge=0, description="which it has become; 0 unless it was approved")
    ] = 0


def encode_proposal(proposal: RulesProposal) -> bytes:
    """Return the payload of a proposal."""
    return _ENCODER.encode(proposal)


def decode_proposal(value: bytes) -> RulesProposal:
    """Return the proposal of a payload; its rules are not read.

    Raises
    ------
    InvalidEvent
        With reason `json` or `type` when the payload is none.
    """
    return decoded(_DECODER, value, "proposal")


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(RulesProposal)
