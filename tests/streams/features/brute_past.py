"""What the brute force knows of the past: all events, as they counted, and windows over them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from schemas.charge import Charge
from schemas.currency import bundled_rates
from schemas.dispute import Dispute
from schemas.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

WINDOWS = {
    "10m": (10 * MINUTE, 2 * MINUTE),
    "1h": (HOUR, 10 * MINUTE),
    "24h": (DAY, 3 * HOUR),
    "7d": (7 * DAY, DAY),
    "30d": (30 * DAY, 3 * DAY),
}
"""Length and tile of each window, seconds: counted is in whole tiles, up to that of its end."""

AHEAD = HOUR
"""How far behind the newest charge of its card or merchant one may be and miss nothing."""

Event = Charge | Dispute
Label = Dispute | Outcome
AnyEvent = Charge | Label
Values = dict[str, float]

Meaning = Literal["fraud", "other dispute", "genuine", "won", "declined", "blocked", "nothing"]
MEANINGS: dict[str, Meaning] = {
    "challenge_failed": "fraud",
    "review_fraud": "fraud",
    "challenge_passed": "genuine",
    "review_genuine": "genuine",
    "dispute_won": "won",
    "declined": "declined",
    "blocked": "blocked",
    "canceled": "blocked",
    "challenge_abandoned": "blocked",
    "answered block": "blocked",
}
"""What outcomes say to the histories of card and merchant; the others say nothing."""

STOPPED = {"blocked", "canceled", "challenge_abandoned"}
"""Outcomes that say the same: the second of them is a duplicate."""


@dataclass(frozen=True)
class Counted:
    """A charge that counted: its amount in the reference currency, and the clock it counted at."""

    charge: Charge
    amount: float
    clock: float

    @cached_property
    def created(self) -> float:
        return self.charge.created


@dataclass(frozen=True)
class Labelled:
    """A dispute or outcome that is no duplicate, as it came to its merchant.

    Attributes
    ----------
    charged_at
        When its charge was made, if it counted before.
    clock
        The merchant's.
    found_at
        When its charge was found to be a fraud before, if it was.
    """

    label: Label
    charged_at: float | None
    clock: float
    found_at: float | None


@dataclass
class Past:
    """All charges of a card, or of a merchant, in the order they came."""

    charges: list[Counted] = field(default_factory=list)

    @property
    def clock(self) -> float:
        return max((charge.created for charge in self.charges), default=0.0)


@dataclass
class CardPast(Past):
    """All that a card did, and what was said of it, in the order it came."""

    disputes: list[Label] = field(default_factory=list)


@dataclass
class MerchantPast(Past):
    """All that a merchant saw, in the order it came.

    Attributes
    ----------
    stopped_on
        The days on which its charges were stopped.
    blocked_in
        The hours in which they were blocked, counted from 1 January 1970.
    """

    disputes: list[Labelled] = field(default_factory=list)
    stopped_on: list[int] = field(default_factory=list)
    blocked_in: list[int] = field(default_factory=list)


def meaning_of(label: Label) -> Meaning:
    """Return what a dispute or outcome says of its charge."""
    if isinstance(label, Dispute):
        return "fraud" if label.is_fraud else "other dispute"
    said = label.outcome if label.action is None else f"{label.outcome} {label.action}"
    return MEANINGS.get(said, "nothing")


def is_fraud_dispute(label: Label) -> bool:
    """Tell whether it is a dispute for fraud, and not a verdict or a failed challenge."""
    return isinstance(label, Dispute) and label.is_fraud


def is_said_again(label: Label, earlier: Iterable[Label]) -> bool:
    """Tell whether the same was said of the charge before."""
    said = _words(label)
    return any(other.charge == label.charge and _words(other) == said for other in earlier)


def _words(label: Label) -> tuple[object, ...]:
    if isinstance(label, Dispute):
        return "dispute", label.is_fraud
    if label.outcome == "answered":
        return "answered", label.action
    return ("stopped",) if label.outcome in STOPPED else (label.outcome,)


def found_at(label: Label, earlier: Iterable[Label]) -> float | None:
    """Return when the charge was found to be a fraud by what came before a label that asks.

    That is one that finds a fraud as well, or a dispute that is won, if there was a dispute. One
    that says that it was blocked asks when that was said.
    """
    of_charge = [other for other in earlier if other.charge == label.charge]
    if meaning_of(label) == "blocked":
        return next((other.created for other in of_charge if meaning_of(other) == "blocked"), None)
    is_taken_back = meaning_of(label) == "won" and any(map(is_fraud_dispute, of_charge))
    if meaning_of(label) != "fraud" and not is_taken_back:
        return None
    return next((other.created for other in of_charge if meaning_of(other) == "fraud"), None)


def counted(charge: Charge, clock: float) -> Counted:
    """Count a charge at a clock that it may move on."""
    amount = bundled_rates().usd(charge.amount, charge.currency)
    return Counted(charge, amount, max(clock, charge.created))


def day_of(time_s: float) -> int:
    """Return the day, counted from 1 January 1970."""
    return math.floor(time_s / DAY)


def hour_of(time_s: float) -> int:
    """Return the hour, counted from 1 January 1970."""
    return math.floor(time_s / HOUR)


def tiles_of(this: Counted, name: str) -> tuple[float, float, float]:
    """Return how long a tile of a window is, and which tiles it counts: the first and the last.

    It begins and ends with a tile, the last one being that of the charge's own time. Tiles that are
    an hour further back from the clock than it is long are forgotten.
    """
    length_s, tile_s = WINDOWS[name]
    last = this.created // tile_s
    kept = this.clock // tile_s - length_s / tile_s - math.ceil(AHEAD / tile_s)
    return tile_s, max(last - length_s / tile_s, kept), last


def in_window(charges: Iterable[Counted], this: Counted, name: str) -> list[Counted]:
    """Return the charges that a window of a charge counts: itself, and others in its tiles."""
    tile_s, first, last = tiles_of(this, name)
    return [c for c in charges if c is this or first <= c.created // tile_s <= last]


def velocity(charges: Sequence[Counted], this: Counted) -> Values:
    """Count and sum up each window of a charge, the last of all."""
    values: Values = {}
    for name in WINDOWS:
        inside = in_window(charges, this, name)
        values[f"count_{name}"] = len(inside)
        values[f"sum_{name}"] = sum(charge.amount for charge in inside)
    return values


def known_in_windows(
    labels: Iterable[tuple[Label, str]], counts: Iterable[tuple[str, str]], now: float
) -> Values:
    """Return how many outcomes of a name the windows have that end at a time.

    Parameters
    ----------
    labels
        The outcomes that count, with their names: up to the newest of all their tiles are kept.
    counts
        Names, and windows of which each is counted.
    now
        When the charge was made.
    """
    known = [(label.created, name) for label, name in labels]
    newest = max((created for created, _ in known), default=0.0)
    values: Values = {}
    for name, window in counts:
        length_s, tile_s = WINDOWS[window]
        last, tiles = now // tile_s, length_s // tile_s
        first = max(last, newest // tile_s - math.ceil(AHEAD / tile_s)) - tiles
        values[f"{name}_{window}"] = sum(
            first <= created // tile_s <= last for created, of in known if of == name
        )
    return values


def first_of(before: Iterable[Counted]) -> float:
    """Return when the first charge was made that did not come too late."""
    return min(other.created for other in before if other.clock - other.created <= AHEAD)


def age(before: Sequence[Counted], created: float) -> float:
    """For how long a card or merchant is known."""
    return max(created - first_of(before), 0.0) if before else 0.0
