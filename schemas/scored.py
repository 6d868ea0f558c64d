"""The scored event: what Chargewatch answers to every valid charge.

Its JSON is written in two parts: the card stage begins it with what is known of the charge, and the
merchant stage ends it. Nothing of the first part is decoded again.
"""

from typing import Annotated, Final, Literal, get_args

import orjson
from msgspec import Meta, Struct

from schemas.aside import NOTHING, Aside
from schemas.charge import Charge
from schemas.fields import Amount, Currency, Identifier, Timestamp

Action = Literal["allow", "challenge", "review", "block"]

ACTIONS: Final[tuple[str, ...]] = get_args(Action)
ALLOW, CHALLENGE, REVIEW, BLOCK = range(4)
"""Codes of the actions, their places in `ACTIONS`."""

BY_MODEL, BY_RULE, BY_TEST_CARD = range(3)
"""Codes of what chose an action; the holdout is the model's."""


class Reason(Struct, frozen=True):
    """One feature that raised the score."""

    feature: Annotated[
        str,
        Meta(description="the feature's name; `rule:` and its id for the rule that decided"),
    ]
    value: Annotated[float, Meta(description="the feature's value for this charge; 1 of a rule")]
    text: Annotated[str, Meta(description="the same in words")]


class Holdout(Struct, frozen=True):
    """A charge that was let through at random, to learn what becomes of such charges."""

    action: Annotated[Action, Meta(description="what would have been done")]
    propensity: Annotated[
        float, Meta(gt=0, le=1, description="how likely it was to be let through")
    ]


class MatchedRule(Struct, frozen=True, omit_defaults=True):
    """A rule that is true of the charge."""

    id: Annotated[str, Meta(description="its id, or a name made of what it says")]
    action: Annotated[
        Action | Literal["allow_without_challenge"], Meta(description="what it asks for")
    ]
    shadow: Annotated[bool, Meta(description="it only watches, and decides nothing")] = False


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
            description="calibrated probability that the charge, if it goes through, will be "
            "disputed as fraudulent",
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
    decided_by: Annotated[
        str,
        Meta(
            description="what chose the action: `model`, `rule:` and its id, `holdout` where it "
            "was drawn, or `test_card`"
        ),
    ] = "model"
    rules: Annotated[
        tuple[MatchedRule, ...],
        Meta(description="every rule that matched; absent if none did, and of a duplicate"),
    ] = ()
    rule_set: Annotated[
        str | None,
        Meta(
            description="version of the rules that applied, as `*:7` or, with a merchant's own, "
            "`m1:2,*:7`; absent if there are none, and of a duplicate"
        ),
    ] = None
    holdout: Annotated[
        Holdout | None, Meta(description="absent if the charge was not drawn for the holdout")
    ] = None
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


_FIELDS = frozenset(Scored.__struct_fields__)


def begin_scored(charge: Charge, aside: Aside) -> bytes:
    """Encode the part of a scored event that is known before the score, open for the rest."""
    known: dict[str, object] = {
        "charge": charge.id,
        "card": charge.card,
        "merchant": charge.merchant,
        "amount": charge.amount,
        "currency": charge.currency,
        "created": charge.created,
    }
    if aside is not NOTHING:
        unknown = aside.unknown
        known |= {name: value for name, value in unknown.items() if name not in _FIELDS}
        if aside.ignored:
            known["ignored"] = aside.ignored
        if aside.masked:
            known["masked"] = aside.masked
    return orjson.dumps(known).removesuffix(b"}")


def end_scored(
    begun: bytes,
    score: float,
    risk: int,
    action: bytes,
    reasons: bytes,
    model: bytes,
    scored_at: float,
    rest: bytes,
) -> bytes:
    """Encode a scored event.

    Parameters
    ----------
    begun
        What `begin_scored` returned.
    score, risk, scored_at
        As in `Scored`.
    action, reasons
        The same in JSON.
    model
        Version of the model, ASCII.
    rest
        What comes last: by what it was decided, `BY_MODEL_JSON`,
        `decided_json` or `holdout_json`, then what rules say, and `DUPLICATE` or `shadow_json`.

    Examples
    --------
    >>> end_scored(b'{"charge":"c1"', 0.25, 7, b'"allow"', b"[]", b"prior", 2.0, b"")[:45]
    b'{"charge":"c1","score":0.25,"risk":7,"action"'
    """
    return _WHOLE % (begun, score, risk, action, reasons, model, scored_at, rest)


_WHOLE = b'%b,"score":%.9g,"risk":%d,"action":%b,"reasons":%b,"model":"%b","scored_at":%.6f%b}'


BY_MODEL_JSON = b',"decided_by":"model"'
DUPLICATE = b',"duplicate":true'


def decided_json(by: str) -> bytes:
    """Return the member that tells what chose the action."""
    return b',"decided_by":%b' % orjson.dumps(by)


def holdout_json(action: bytes, propensity: float) -> bytes:
    """Return the members of a charge that was drawn for the holdout; the action in JSON."""
    return b',"decided_by":"holdout","holdout":{"action":%b,"propensity":%.6g}' % (
        action,
        propensity,
    )


def shadow_json(scores: bytes) -> bytes:
    """Return the scores of challengers, JSON members without braces, as the last field."""
    return b',"shadow":{%b}' % scores
