"""What the API answers, as types: JSON Schemas and the Python client follow from them."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.dispute import Dispute
from schemas.fields import Amount, Currency, Identifier, Timestamp
from schemas.outcome import Outcome
from schemas.scored import Action, Scored

TookMs = Annotated[
    float, Meta(ge=0, description="how long it took, from the request on, milliseconds")
]


class ScoredAnswer(Scored, frozen=True, omit_defaults=True, kw_only=True):
    """A charge that was scored in time: its scored charge, as it is on the topic `scored`."""

    source: Annotated[Literal["scored"], Meta(description="where the action comes from")]
    took_ms: TookMs


class FallbackAnswer(Struct, frozen=True, kw_only=True):
    """A charge that was not scored in time: the fallback action of its merchant.

    It is scored all the same. An `answered` outcome tells that this action was given.
    """

    charge: Annotated[Identifier, Meta(description="the charge's `id`")]
    card: Annotated[Identifier, Meta(description="as in the charge")]
    merchant: Annotated[Identifier, Meta(description="as in the charge")]
    amount: Annotated[Amount, Meta(description="as in the charge")]
    currency: Annotated[Currency, Meta(description="as in the charge, in lower case")]
    created: Annotated[Timestamp, Meta(description="as in the charge")]
    action: Annotated[Action, Meta(description="the merchant's fallback")]
    source: Annotated[Literal["fallback"], Meta(description="where the action comes from")]
    took_ms: TookMs


class ChargeAnswer(Struct, frozen=True):
    """What is known of a charge."""

    scored: Annotated[Scored, Meta(description="its scored event")]
    outcomes: Annotated[tuple[Outcome, ...], Meta(description="what became of it, oldest first")]
    disputes: Annotated[tuple[Dispute, ...], Meta(description="its disputes, oldest first")]


class AcceptedAnswer(Struct, frozen=True):
    """An event that the brokers have."""

    id: Annotated[str, Meta(description="the event's `id`")]
