"""A fallback on record: the `answered` outcome of a charge that was answered without its score."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final

import msgspec

from schemas.outcome import Outcome
from schemas.rejected import InvalidEvent
from schemas.validation import parse_outcome

if TYPE_CHECKING:
    from confluent_kafka import Message

    from agents.web.api.asked import Asked
    from agents.web.api.memory import Key
    from schemas.input_rules import InputRules

HEADER: Final = "chargewatch-fallback"
"""Tells a fallback of this API from an outcome of others, which changes no answer."""

Headers = list[tuple[str, str | bytes | None]]


def fallback_outcome(asked: Asked, action: str, took_s: float) -> tuple[bytes, Headers]:
    """Return the outcome that puts a fallback on record, and its headers.

    Its id is made of the charge's, so that it counts once whoever writes it. It names the card as
    the charge did, and its time is that of the charge and how long the answer took: it is known by
    the clock that charges come by.
    """
    charge = asked.charge
    outcome = Outcome(
        id=f"fallback:{charge.id}",
        charge=charge.id,
        card=asked.card.decode(),
        merchant=charge.merchant,
        created=charge.created + took_s,
        outcome="answered",
        action=action,  # type: ignore[arg-type] # it is that of checked terms
    )
    return msgspec.json.encode(outcome), [(HEADER, b"1")]


def fallback_in(message: Message, rules: InputRules) -> tuple[Key, str, float] | None:
    """Return charge, action and time of a fallback on record, `None` of any other outcome."""
    headers: Any = message.headers() or ()
    if not any(name == HEADER for name, _ in headers):
        return None
    try:
        outcome, _ = parse_outcome(message.value(), message.key(), inf, rules)
    except InvalidEvent:
        return None
    key = outcome.card, outcome.charge
    return (key, outcome.action, outcome.created) if outcome.action else None
