"""What an analyst does at a charge, as records: a verdict, a claim, its release, a note."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, Literal

import orjson

from agents.web.console.access.user_topic import audited
from schemas.reviews import NOTE_CHARACTERS_MAX, Review, encode_review
from streams.kafka.editor import Written

if TYPE_CHECKING:
    from agents.policy.edits import Signature
    from agents.web.read_model.queries.lines import ChargeLine
    from schemas.reviews import Kind
    from streams.kafka.topics import Topics

Verdict = Literal["fraud", "genuine"]

CLAIM_S: Final = 900.0
"""For which a claim holds: whoever has gone home holds nobody up."""


def verdict_records(
    line: ChargeLine, verdict: Verdict, signed: Signature, names: Topics
) -> list[Written]:
    """Return what puts a verdict on record: an outcome of the charge, which says by whom."""
    outcome = {
        "id": f"console-{secrets.token_hex(12)}",
        "charge": line.charge,
        "card": line.card,
        "merchant": line.merchant,
        "created": round(signed.at, 3),
        "outcome": f"review_{verdict}",
        "by": signed.by,
    }
    told = signed._replace(note=verdict)
    return [
        audited("verdict", told, line.charge, names),
        Written(names.outcomes, line.card.encode(), orjson.dumps(outcome)),
    ]


def review_records(
    line: ChargeLine, kind: Kind, signed: Signature, names: Topics, text: str = ""
) -> list[Written]:
    """Return what puts a claim, its release or a note on record."""
    review = Review(
        secrets.token_hex(12),
        line.charge,
        line.card,
        round(signed.at, 3),
        signed.by,
        kind,
        round(signed.at, 3) + CLAIM_S if kind == "claim" else None,
        text[:NOTE_CHARACTERS_MAX],
    )
    told = signed._replace(note="" if kind == "note" else kind)
    return [
        audited("note" if kind == "note" else "claim", told, line.charge, names),
        Written(names.reviews, line.card.encode(), encode_review(review)),
    ]
