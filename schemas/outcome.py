"""The outcome: what became of a charge after it was scored."""

from typing import Annotated, Final, Literal, get_args

from msgspec import Meta, Struct

from schemas.fields import Identifier, Text, Timestamp
from schemas.scored import Action

OutcomeName = Literal[
    "authorized",
    "declined",
    "blocked",
    "canceled",
    "challenge_passed",
    "challenge_failed",
    "challenge_abandoned",
    "review_fraud",
    "review_genuine",
    "refunded",
    "dispute_won",
    "answered",
]

OUTCOMES: Final[tuple[str, ...]] = get_args(OutcomeName)

_FROM_THE_CHARGE: Final = "add it as it is in the charge, or on the topic `scored`"


class Outcome(Struct, frozen=True, gc=False):
    """What became of a charge, keyed by card on the topic `outcomes`.

    An `answered` one has an `action`.
    """

    id: Annotated[Text, Meta(description="unique outcome id")]
    charge: Annotated[Identifier, Meta(description="the charge it is about")]
    card: Annotated[
        Identifier, Meta(description="the card of that charge", extra={"missing": _FROM_THE_CHARGE})
    ]
    merchant: Annotated[
        Identifier,
        Meta(description="the merchant of that charge", extra={"missing": _FROM_THE_CHARGE}),
    ]
    created: Annotated[Timestamp, Meta(description="when it was known, Unix seconds")]
    outcome: Annotated[OutcomeName, Meta(description="what became of the charge")]
    action: Annotated[
        Action | None,
        Meta(
            description="of `answered`: the action that was given in place of the scored one",
            extra={"missing": "an `answered` outcome says which action was given"},
        ),
    ] = None
