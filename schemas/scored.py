"""The scored event: what Chargewatch answers to every valid charge."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.fields import Amount, Currency, Identifier, Timestamp

Action = Literal["allow", "challenge", "review", "block"]


class Reason(Struct, frozen=True):
    """One feature that raised the score."""

    feature: Annotated[str, Meta(description="the feature's name")]
    value: Annotated[float, Meta(description="the feature's value for this charge")]
    text: Annotated[str, Meta(description="the same in words")]


class Scored(Struct, frozen=True, omit_defaults=True):
    """One scored charge, keyed by card on the topic `scored`.

    The charge's unknown fields are carried along beside these; a name that stands here wins.
    """

    charge: Annotated[Identifier, Meta(description="the charge's `id`")]
    card: Annotated[Identifier, Meta(description="as in the charge")]
    merchant: Annotated[Identifier, Meta(description="as in the charge")]
    amount: Annotated[Amount, Meta(description="as in the charge")]
    currency: Annotated[Currency, Meta(description="as in the charge")]
    created: Annotated[Timestamp, Meta(description="as in the charge")]
    score: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="calibrated probability that the charge will be disputed as fraudulent",
        ),
    ]
    risk: Annotated[
        int,
        Meta(ge=0, le=99, description="the score's place among those of recent charges, in %"),
    ]
    action: Annotated[Action, Meta(description="the intervention")]
    reasons: Annotated[
        tuple[Reason, ...],
        Meta(max_length=5, description="what raised the score most, strongest first"),
    ]
    model: Annotated[str, Meta(description="version of the snapshot that scored it")]
    scored_at: Annotated[float, Meta(description="Unix seconds, wall clock")]
    duplicate: Annotated[
        bool,
        Meta(description="a duplicate of a charge already scored; changes no aggregate"),
    ] = False
    ignored: Annotated[
        tuple[str, ...],
        Meta(description="optional fields of the charge whose values counted as missing"),
    ] = ()
    masked: Annotated[
        tuple[str, ...],
        Meta(description="fields of the charge in which the digits of a card number are masked"),
    ] = ()
    shadow: Annotated[
        dict[str, Annotated[float, Meta(ge=0, le=1)]],
        Meta(description="scores of the challengers, by their names; not of a duplicate"),
    ] = {}
