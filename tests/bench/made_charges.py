"""Charges that are made up, with all that is about them: scored events, disputes, verdicts."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 21
SCORED_AFTER_S = 0.1


def made_events(
    charges: int, began: float, span_s: float
) -> Iterator[tuple[str, str, dict[str, Any], float]]:
    """Yield topic, key, event, and when it is put there, Unix seconds."""
    random = Random(f"{SEED} {charges}")
    for number in range(charges):
        created = began + span_s * number / charges
        charge = _charge(random, number, created)
        card, about = charge["card"], {n: charge[n] for n in ("card", "merchant")}
        yield "charges", card, charge, created
        draw = random.random()
        action = "allow" if draw < 0.95 else "challenge" if draw < 0.97 else "review"
        action = "block" if draw > 0.985 else action
        yield "scored", card, _scored(random, charge, action), created + SCORED_AFTER_S
        about |= {"charge": charge["id"], "created": charge["created"] + 3600.0}
        if random.random() < 0.02:
            dispute = about | {"id": f"d{number}", "reason": "fraudulent"}
            yield "disputes", card, dispute, about["created"]
        if action == "review" and random.random() < 0.6:
            verdict = random.choice(("review_fraud", "review_genuine"))
            outcome = about | {"id": f"o{number}", "outcome": verdict, "by": "ann"}
            yield "outcomes", card, outcome, about["created"]


def _charge(random: Random, number: int, created: float) -> dict[str, Any]:
    """Return a charge. A few cards and merchants have many: what is asked of them is the worst."""
    return {
        "id": f"ch_{random.getrandbits(64):016x}", "created": created,
        "amount": random.randrange(100, 50_000), "currency": "usd",
        "card": f"card_{int(random.paretovariate(0.5)) % 300_000:06d}",
        "merchant": f"acct_{int(random.paretovariate(0.8)) % 2000:05d}", "mcc": 5411,
        "merchant_country": "US", "card_country": "US", "ip_country": "US", "funding": "credit",
        "channel": "online", "device": f"dev_{int(random.paretovariate(0.5)) % 300_000}",
        "ip": f"ip_{random.randrange(300_000)}", "email": f"em_{random.randrange(300_000)}",
        "cvc_check": "pass", "postal_check": "pass", "order": number,
    }  # fmt: skip


def _scored(random: Random, charge: dict[str, Any], action: str) -> dict[str, Any]:
    carried = ("card", "merchant", "amount", "currency", "created", "order")
    reasons = [
        {"feature": f"feature_{n}", "value": 3.25, "text": "3.2 times what this card usually pays"}
        for n in range(3)
    ]
    return {
        "charge": charge["id"], **{name: charge[name] for name in carried},
        "score": random.random() ** 8, "risk": random.randrange(100), "action": action,
        "reasons": reasons, "model": "stack-12345", "scored_at": charge["created"] + SCORED_AFTER_S,
        "decided_by": "model",
    }  # fmt: skip
