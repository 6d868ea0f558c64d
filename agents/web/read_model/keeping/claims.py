"""Who works at a charge: the first claim wins."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from schemas.reviews import Review


class Claim(NamedTuple):
    """A claim that won: whose, since when, and until when, Unix seconds."""

    by: str
    created: float
    until: float


def claim_after(claim: Claim | None, review: Review) -> Claim | None:
    """Return who works at a charge after an entry, given who did before it.

    Examples
    --------
    >>> from schemas.reviews import Review
    >>> first = claim_after(None, Review("r1", "ch", "card", 5.0, "ann", "claim", 905.0))
    >>> second = Review("r2", "ch", "card", 6.0, "bob", "claim", 906.0)
    >>> claim_after(first, second).by
    'ann'
    >>> released = claim_after(first, Review("r3", "ch", "card", 7.0, "ann", "release"))
    >>> claim_after(released, second).by
    'bob'
    """
    is_own = claim is not None and claim.by == review.by
    if review.kind == "release":
        return None if is_own else claim
    is_free = claim is None or is_own or claim.until <= review.created
    if review.kind == "claim" and review.until is not None and is_free:
        return Claim(review.by, review.created, review.until)
    return claim
