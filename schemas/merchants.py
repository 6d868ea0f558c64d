"""The record of a merchant's settings: how its charges are decided where no rule does."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.edits import Author, MadeFrom, MerchantKey, Note, Version, WrittenAt, decoded
from schemas.scored import Action

Preset = Literal["protect", "balance", "revenue"]

_Usd = Annotated[float, Meta(ge=0)]
_Threshold = Annotated[int, Meta(ge=0, le=100)]


class MerchantSettings(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a merchant sets, or what is set for all, keyed by the merchant on `merchants`.

    What is absent is as it is for all, and what is absent there as the installation is set.
    """

    merchant: MerchantKey
    version: Version
    preset: Annotated[
        Preset | None,
        Meta(description="a table of costs to begin with; `costs` are laid over it"),
    ] = None
    costs: Annotated[
        dict[str, Annotated[float, Meta(ge=0)]],
        Meta(description="costs by their names in the settings of the installation"),
    ] = {}
    block_at: Annotated[
        _Threshold | None,
        Meta(description="`risk` from which on charges are blocked, and below which none is"),
    ] = None
    review_at: Annotated[
        _Threshold | None,
        Meta(description="likewise reviewed, if they are not blocked and a review is left"),
    ] = None
    challenge_at: Annotated[
        _Threshold | None, Meta(description="likewise challenged, if nothing more is done")
    ] = None
    holdout_share: Annotated[
        Annotated[float, Meta(ge=0, le=0.5)] | None,
        Meta(description="share of what would be stopped that is let through at random"),
    ] = None
    holdout_amount_max_usd: Annotated[
        _Usd | None, Meta(description="largest amount that is let through for it")
    ] = None
    holdout_budget_usd: Annotated[
        _Usd | None, Meta(description="loss that may be expected of it on one day, at the most")
    ] = None
    fallback: Annotated[
        Action | None,
        Meta(description="what is answered when no score comes in time"),
    ] = None
    made_from: MadeFrom = 0
    by: Author = ""
    at: WrittenAt = 0.0
    note: Note = ""


def encode_merchant(record: MerchantSettings) -> bytes:
    """Return the payload of a record."""
    return _ENCODER.encode(record)


def decode_merchant(value: bytes) -> MerchantSettings:
    """Return the record of a payload; whether there are such costs is not checked.

    Raises
    ------
    InvalidEvent
        With reason `json` or `type` when the payload is none.
    """
    return decoded(_DECODER, value, "settings of a merchant")


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(MerchantSettings)
