"""Checks of the scored events: what they tell of their charge, and who was let through."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from struct import pack
from typing import TYPE_CHECKING, Any

import numpy as np
from xxhash import xxh3_128_digest

from schemas.charge import Charge
from schemas.currency import bundled_rates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agents.settings.schema import Settings
    from tests.chaos.findings import Findings
    from tests.chaos.traffic import Sent

    Event = Mapping[str, Any]

_SAME = ("card", "merchant", "amount", "currency", "created")
_ANSWER = ("score", "action", "decided_by", "holdout")


def check_answer(findings: Findings, event: Event, sent: Sent, settings: Settings) -> None:
    """Check a scored event by itself."""
    charge = sent.event
    assert isinstance(charge, Charge)
    is_same = event["charge"] == charge.id and all(
        event[name] == getattr(charge, name) for name in _SAME
    )
    findings.check("scored event tells its charge", is_same, event)
    _check_draw(findings, event, charge, settings)


def check_answers(
    findings: Findings,
    scored: Sequence[Event],
    sent: Mapping[int, Sent],
    duplicates: set[int],
    settings: Settings,
) -> None:
    """Check that every charge is scored once, and a duplicate as its charge was."""
    counts = Counter(event["number"] for event in scored)
    for number, item in sent.items():
        if isinstance(item.event, Charge):
            count = counts[number]
            findings.check("charge scored once", count == 1, (number, count))
    answers: dict[tuple[str, str], object] = {}
    for event in scored:
        check_answer(findings, event, sent[event["number"]], settings)
        is_duplicate = event["number"] in duplicates
        marked = event.get("duplicate", False)
        findings.check("duplicate marked", marked == is_duplicate, event)
        name, answer = (event["card"], event["charge"]), [event.get(name) for name in _ANSWER]
        first = answers.setdefault(name, answer)
        findings.check("duplicate answered as the charge", answer == first, event)


def check_traffic(findings: Findings, scored: Sequence[Event], settings: Settings) -> None:
    """Check that there was something to check: actions of every kind, and charges let through."""
    if settings.actions == "advisory":
        return
    chosen = Counter(event.get("holdout", event)["action"] for event in scored)
    for action in ("allow", "challenge", "review", "block"):
        findings.check(f"{action} is among the actions", chosen[action] > 0, chosen)
    drawn = Counter(event["holdout"]["action"] for event in scored if "holdout" in event)
    findings.check("some were let through", drawn.total() > 0, drawn)


def _check_draw(findings: Findings, event: Event, charge: Charge, settings: Settings) -> None:
    """Check that a charge was let through if, and only if, its keyed hash says so."""
    drawn = event.get("holdout")
    wanted = event["action"] if drawn is None else drawn["action"]
    digest = xxh3_128_digest(f"{charge.card}\0{charge.id}".encode())
    halves = pack("<QQ", *np.frombuffer(digest, ">u8").tolist())
    keyed = blake2b(halves, key=settings.holdout_key.encode(), digest_size=8).digest()
    usd = bundled_rates().usd(charge.amount, charge.currency)
    is_chosen = (
        settings.actions == "enforced"
        and wanted != "allow"
        and usd <= settings.holdout_amount_max_usd
        and int.from_bytes(keyed, "little") / 2**64 < settings.holdout_share
    )
    findings.check("let through by its hash", (drawn is not None) == is_chosen, event)
    decided = ("model", None) if drawn is None else ("holdout", settings.holdout_share)
    found = event.get("decided_by"), drawn and drawn["propensity"]
    findings.check("decided, and how likely", found in {decided, (None, None)}, event)
    is_allowed = drawn is None or event["action"] == "allow"
    findings.check("let through is allowed", is_allowed, event)
