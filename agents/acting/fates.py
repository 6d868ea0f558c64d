"""What becomes of a charge whose action is carried out: by the rates of the cost table.

::

    action      of a charge that would be disputed     of a genuine one
    allow       disputed                               goes through
    challenge   failed; or passed, and disputed        passed; or abandoned
    review      refused; or let through, and disputed  let through; or refused
    block       stopped, no dispute comes              stopped

Which of the two it is, where there are two, is drawn by a hash of the charge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from xxhash import xxh3_64_intdigest

from schemas.scored import BLOCK, CHALLENGE, REVIEW
from streams.durations import HOUR_S, MINUTE_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.settings.costs import Costs

_CHALLENGED_IN_S = MINUTE_S
"""How long a cardholder takes for a challenge."""

_HASH_RANGE = 2.0**64


class Fate(NamedTuple):
    """What becomes of a charge: its outcome if it has one, when that comes, and whether it ends."""

    outcome: str | None
    after_s: float
    is_stopped: bool


def draw_of(charge: bytes) -> float:
    """Return the number from 0 to 1 by which the rates decide on a charge, from its hash."""
    return xxh3_64_intdigest(charge) / _HASH_RANGE


def fate(action: int, draw: float, costs: Costs, *, is_fraud: bool) -> Fate:
    """Return what becomes of a charge whose action is carried out.

    Parameters
    ----------
    action
        Its place in `schemas.scored.ACTIONS`.
    draw
        From 0 to 1, by which the rates decide (`draw_of`).
    costs
        Has the rates of challenges and reviews.
    is_fraud
        Whether it would be disputed as fraudulent.

    Examples
    --------
    >>> from agents.settings.costs import Costs
    >>> fate(CHALLENGE, 0.5, Costs(), is_fraud=True)
    Fate(outcome='challenge_failed', after_s=60.0, is_stopped=True)
    >>> fate(REVIEW, 0.5, Costs(), is_fraud=False)
    Fate(outcome='review_genuine', after_s=14400.0, is_stopped=False)
    """
    if action == CHALLENGE:
        share = costs.challenge_success_share if is_fraud else costs.challenge_abandonment_share
        is_stopped = draw < share
        ended = "challenge_failed" if is_fraud else "challenge_abandoned"
        return Fate(ended if is_stopped else "challenge_passed", _CHALLENGED_IN_S, is_stopped)
    if action == REVIEW:
        is_stopped = (draw < costs.review_success_share) == is_fraud
        verdict = "review_fraud" if is_stopped else "review_genuine"
        return Fate(verdict, costs.review_hours * HOUR_S, is_stopped)
    return Fate(None, 0.0, is_stopped=action == BLOCK)


def outcome_payload(
    outcome_id: str, scored: Mapping[str, Any], outcome: str, created: float
) -> bytes:
    """Encode an outcome of a charge, made at `created`, Unix seconds, from its scored event."""
    return orjson.dumps(
        {
            "id": outcome_id,
            "charge": scored["charge"],
            "card": scored["card"],
            "merchant": scored["merchant"],
            "created": created,
            "outcome": outcome,
        }
    )
