"""Events as rows of the tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson

from agents.web.read_model.storing import storable
from schemas.charge import Charge
from schemas.rejected import ERROR, OFFSET, PARTITION, TOPIC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.web.read_model.keeping.batch import Row
    from schemas.aside import Aside
    from schemas.currency import Rates
    from schemas.dispute import Dispute
    from schemas.outcome import Outcome
    from schemas.reviews import Review

USD_CENTS_MAX: Final = 10**12
"""What an amount counts at the most, so that no sum of them is more than a database can hold."""

PAYLOAD_BYTES_KEPT: Final = 16 * 1024
"""Of a rejected input. All of it is on its topic."""

REASON_CHARACTERS_MAX: Final = 120

_OF_ONE_INPUT: Final = re.compile(
    r", got (?!none\b).*|[;(].*|\d[\d.]{4,}|\d+(?= days old)", re.DOTALL
)

_OPTIONAL_FIELDS: Final = tuple(
    field.name for field in msgspec.structs.fields(Charge) if not field.required
)

_TEXTS_OF_REVIEW: Final = ("id", "charge", "card", "by", "text")


class _Scored(msgspec.Struct, gc=False):
    """All that is read of a scored event."""

    charge: str
    card: str
    merchant: str
    amount: int
    currency: str
    created: float
    score: float
    risk: int
    action: str
    decided_by: str = "model"
    duplicate: bool = False


_decode_scored: Final = msgspec.json.Decoder(_Scored).decode


def charge_row(event: bytes, rates: Rates, written_at: float) -> Row | None:
    """Return the row of a scored event, `None` of a duplicate.

    Parameters
    ----------
    event
        In JSON.
    rates
        Of the installation.
    written_at
        When it was put on its topic, Unix seconds.

    Raises
    ------
    msgspec.DecodeError
        When it is no scored event.
    """
    scored = _decode_scored(event)
    if scored.duplicate:
        return None
    return {
        "charge": storable(scored.charge),
        "card": storable(scored.card),
        "merchant": storable(scored.merchant),
        "created": scored.created,
        "amount": scored.amount,
        "currency": scored.currency,
        "usd_cents": _usd_cents(scored.amount, scored.currency, rates),
        "score": scored.score,
        "risk": scored.risk,
        "action": scored.action,
        "decided_by": storable(scored.decided_by),
        "event": event,
        "written_at": written_at,
    }


def _usd_cents(amount: int, currency: str, rates: Rates) -> int:
    """Return an amount in US cents; 0 where the installation has no rate any more."""
    rate = rates.usd_per_minor_unit.get(currency, 0.0)
    return min(round(100.0 * rate * amount), USD_CENTS_MAX)


def details_row(charge: Charge, written_at: float) -> Row:
    """Return the row of what a charge has beside its scored event; times as for that."""
    fields = {
        name: value for name in _OPTIONAL_FIELDS if (value := getattr(charge, name)) is not None
    }
    return {
        "charge": storable(charge.id),
        "card": storable(charge.card),
        "created": charge.created,
        "device": _storable_or_none(charge.device),
        "ip": _storable_or_none(charge.ip),
        "email": _storable_or_none(charge.email),
        "fields": orjson.dumps(fields),
        "written_at": written_at,
    }


def dispute_row(dispute: Dispute, aside: Aside) -> Row:
    """Return the row of a dispute."""
    return _label_row(dispute, aside) | {"is_fraud": dispute.is_fraud}


def outcome_row(outcome: Outcome, aside: Aside, offset: int) -> Row:
    """Return the row of an outcome that is at an offset."""
    told = {"outcome": outcome.outcome, "action": outcome.action, "place": offset}
    return _label_row(outcome, aside) | told


def _label_row(label: Dispute | Outcome, aside: Aside) -> Row:
    fields = {
        name: value for name, value in msgspec.structs.asdict(label).items() if value is not None
    }
    unknown = {name: value for name, value in aside.unknown.items() if name not in fields}
    return {
        "charge": storable(label.charge),
        "card": storable(label.card),
        "id": storable(label.id),
        "created": label.created,
        "event": orjson.dumps(fields | unknown),
    }


def rejected_row(
    key: bytes | None,
    payload: bytes | None,
    headers: Sequence[tuple[str, Any]],
    place: tuple[int, int],
    created: float,
) -> Row:
    """Return the row of a rejected input.

    Parameters
    ----------
    key, payload, headers
        Of its copy.
    place
        Partition and offset of the copy.
    created
        When it was put there, Unix seconds.
    """
    told = {name: _text(value) for name, value in headers}
    return {
        "partition": place[0],
        "place": place[1],
        "created": created,
        "reason": reason_in(told.get(ERROR, "")),
        "error": told.get(ERROR, ""),
        "topic": told.get(TOPIC, ""),
        "source_partition": _number(told.get(PARTITION, "")),
        "source_offset": _number(told.get(OFFSET, "")),
        "key": key,
        "payload": payload and payload[:PAYLOAD_BYTES_KEPT],
        "payload_bytes": len(payload or b""),
    }


def storable_review(review: Review) -> Review:
    """Return an entry with texts that can be stored."""
    texts = {name: storable(getattr(review, name)) for name in _TEXTS_OF_REVIEW}
    return msgspec.structs.replace(review, **texts)


def reason_in(error: str) -> str:
    """Return what inputs of an error have in common: what was expected, not what was found.

    Examples
    --------
    >>> reason_in("amount: expected an integer of at least 0, got -5")
    'amount: expected an integer of at least 0'
    >>> reason_in("created: expected a time up to 1795560617.5 (now and an allowance), got 9e9")
    'created: expected a time up to'
    >>> reason_in("card: expected a string, got none; add it as it is in the charge")
    'card: expected a string, got none'
    """
    return " ".join(_OF_ONE_INPUT.sub("", error).split())[:REASON_CHARACTERS_MAX]


def _text(value: bytes | None) -> str:
    return storable((value or b"").decode(errors="replace"))


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def _storable_or_none(text: str | None) -> str | None:
    return None if text is None else storable(text)
