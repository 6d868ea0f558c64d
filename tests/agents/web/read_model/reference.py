"""The read model by brute force: over all messages, in plain Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from schemas.currency import bundled_rates
from schemas.dispute_reasons import is_fraud_reason

if TYPE_CHECKING:
    from tests.agents.web.read_model.made import Made, MadeMessage

Key = tuple[str, str]
CENTS_MAX = 10**12


@dataclass
class Charge:
    """A scored charge, and what became of it."""

    scored: dict[str, Any]
    scored_at: float
    put_at: float | None = None
    details: dict[str, Any] = field(default_factory=dict)
    disputes: dict[str, dict[str, Any]] = field(default_factory=dict)
    outcomes: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: dict[str, dict[str, Any]] = field(default_factory=dict)
    claim: dict[str, Any] | None = None

    @property
    def cents(self) -> int:
        usd = bundled_rates().usd(self.scored["amount"], self.scored["currency"])
        return min(round(100 * usd), CENTS_MAX)

    @property
    def given(self) -> str:
        answers = [o["action"] for o in self.outcomes.values() if o["outcome"] == "answered"]
        return str(answers[0] if answers else self.scored["action"])

    @property
    def verdict(self) -> str:
        names = {"review_fraud": "fraud", "review_genuine": "genuine"}
        said = [names[o["outcome"]] for o in self.outcomes.values() if o["outcome"] in names]
        return said[-1] if said else ""

    @property
    def is_disputed(self) -> bool:
        won = [o["created"] for o in self.outcomes.values() if o["outcome"] == "dispute_won"]
        return any(
            is_fraud_reason(d["reason"]) and d["created"] > max(won, default=-1)
            for d in self.disputes.values()
        )

    @property
    def is_found(self) -> bool:
        return self.verdict == "fraud" and not self.is_disputed

    @property
    def is_waiting(self) -> bool:
        return self.given == "review" and not self.verdict


def charges_in(made: Made, prefix: str = "") -> dict[Key, Charge]:
    """Return all scored charges as they stand when everything is read."""
    found: dict[Key, Charge] = {}
    for message, event in _messages(made, f"{prefix}scored"):
        if not event.get("duplicate"):
            key = event["charge"], event["card"]
            found.setdefault(key, Charge(event, _in_ms(message)))
    for message, event in _messages(made, f"{prefix}charges"):
        known = found.get((event["id"], event["card"]))
        if known and known.put_at is None:
            known.details, known.put_at = event, _in_ms(message)
    for kind in ("disputes", "outcomes"):
        for _, event in _messages(made, f"{prefix}{kind}"):
            if charge := found.get((event["charge"], event["card"])):
                getattr(charge, kind).setdefault(event["id"], event)
    for _, event in _messages(made, f"{prefix}chargewatch.reviews"):
        if charge := found.get((event["charge"], event["card"])):
            _review(charge, event)
    return found


def _review(charge: Charge, event: dict[str, Any]) -> None:
    held = charge.claim
    if event["kind"] == "note":
        charge.notes.setdefault(event["id"], event)
    elif event["kind"] == "release":
        if held and held["by"] == event["by"]:
            charge.claim = None
    elif not held or held["by"] == event["by"] or held["until"] <= event["created"]:
        charge.claim = event


def _messages(made: Made, topic: str) -> list[tuple[MadeMessage, dict[str, Any]]]:
    return [(message, orjson.loads(message.made_value or b"")) for message in made.of(topic)]


def _in_ms(message: MadeMessage) -> float:
    """Return when a message was written, as Kafka tells it."""
    return message.timestamp()[1] / 1e3
