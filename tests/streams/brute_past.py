"""What the brute force knows of the past: all events, as they counted, and windows over them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schemas.charge import Charge
from schemas.currency import bundled_rates
from schemas.dispute import Dispute

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
"""Length and tile of each window, seconds: counted is from the start of a tile on."""

Event = Charge | Dispute
Values = dict[str, float]


@dataclass(frozen=True)
class Counted:
    """A charge that counted: its amount in the reference currency, and the clock it counted at."""

    charge: Charge
    amount: float
    clock: float

    @property
    def created(self) -> float:
        return self.charge.created


@dataclass(frozen=True)
class Labelled:
    """A dispute that counted: when its charge was made, if it counted before, and the clock."""

    dispute: Dispute
    charged_at: float | None
    clock: float


@dataclass
class Past:
    """All charges of a card, or of a merchant, in the order they came."""

    charges: list[Counted] = field(default_factory=list)

    @property
    def clock(self) -> float:
        return max((charge.created for charge in self.charges), default=0.0)


@dataclass
class CardPast(Past):
    """All that a card did, in the order it came."""

    disputes: list[Dispute] = field(default_factory=list)


@dataclass
class MerchantPast(Past):
    """All that a merchant saw, in the order it came."""

    disputes: list[Labelled] = field(default_factory=list)


def counted(charge: Charge, clock: float) -> Counted:
    """Count a charge at a clock that it may move on."""
    amount = bundled_rates().usd(charge.amount, charge.currency)
    return Counted(charge, amount, max(clock, charge.created))


def day_of(time_s: float) -> int:
    """Return the day, counted from 1 January 1970."""
    return math.floor(time_s / DAY)


def begin_of(now: float, name: str) -> float:
    """Since when a window counts: its full tiles, and the one that runs."""
    length_s, tile_s = WINDOWS[name]
    return (now // tile_s) * tile_s - length_s


def in_window(charges: Iterable[Counted], now: float, name: str) -> list[Counted]:
    """Return the charges that a window counts."""
    begin = begin_of(now, name)
    return [charge for charge in charges if charge.created >= begin]


def velocity(charges: Sequence[Counted], now: float) -> Values:
    """Count and sum up each window."""
    values: Values = {}
    for name in WINDOWS:
        inside = in_window(charges, now, name)
        values[f"count_{name}"] = len(inside)
        values[f"sum_{name}"] = sum(charge.amount for charge in inside)
    return values
