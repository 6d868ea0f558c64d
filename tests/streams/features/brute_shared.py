"""The features that a device, an address or an e-mail gives a charge, from all that it was told."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.streams.features.brute_past import (
    AHEAD,
    DAY,
    Past,
    age,
    counted,
    day_of,
    hour_of,
    in_window,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from schemas.charge import Charge
    from tests.streams.features.brute_past import Counted, Values

LATEST_CARDS, LATEST_MERCHANTS = 24, 12

SHARED_NAMES = (
    "count_1h", "count_24h", "count_7d", "sum_24h", "sum_7d", "cards_24h", "cards_7d",
    "merchants_24h", "card_first", "charges_before", "age", "frauds_90d", "fraud_share",
    "blocked_24h",
)  # fmt: skip


@dataclass
class SharedPast(Past):
    """All that a shared entity was told, in the order it came.

    Attributes
    ----------
    frauds
        Stream times at which charges were found to be frauds, and 1; at which the dispute of one
        was won, and -1.
    blocked_in
        The hours in which charges were blocked, counted from 1 January 1970.
    """

    frauds: list[tuple[float, int]] = field(default_factory=list)
    blocked_in: list[int] = field(default_factory=list)


def entities_of(charge: Charge) -> Iterator[tuple[str, str]]:
    """Give the shared entities of a charge: kinds, and which."""
    for kind, value in (("device", charge.device), ("ip", charge.ip), ("email", charge.email)):
        if value is not None:
            yield kind, value


def of_shared(past: SharedPast, charge: Charge, stream_time: float) -> Values:
    """The features of a charge that came at a stream time."""
    before, this = past.charges, counted(charge, past.clock)
    charges, values = [*before, this], dict[str, float]()
    for name in ("1h", "24h", "7d"):
        values[f"count_{name}"] = len(in_window(charges, this, name))
    for name in ("24h", "7d"):
        values[f"sum_{name}"] = sum(other.amount for other in in_window(charges, this, name))
    cards = _lately([(other.charge.card, other.created) for other in charges], LATEST_CARDS)
    shops = _lately([(other.charge.merchant, other.created) for other in charges], LATEST_MERCHANTS)
    earlier = _lately([(other.charge.card, other.created) for other in before], LATEST_CARDS)
    values["cards_24h"] = _since(cards, charge.card, this, DAY)
    values["cards_7d"] = _since(cards, charge.card, this, 7 * DAY)
    values["merchants_24h"] = _since(shops, charge.merchant, this, DAY)
    values["card_first"] = charge.card not in earlier
    values["charges_before"] = len(before)
    values["age"] = age(before, charge.created)
    frauds = _frauds(past, stream_time)
    values["frauds_90d"] = frauds
    values["fraud_share"] = min(frauds / (len(before) + 10.0), 1.0)
    hour = max([hour_of(stream_time), *past.blocked_in])
    values["blocked_24h"] = sum(hour - 24 <= blocked < hour for blocked in past.blocked_in)
    return {name: float(value) for name, value in values.items()}


def _frauds(past: SharedPast, now: float) -> int:
    """How many frauds were told before this hour, and on which of the last 90 days.

    It is that of the newest time that was told.
    """
    clock = max([now, *(at for at, _ in past.frauds)])
    told = [
        change
        for at, change in past.frauds
        if hour_of(at) < hour_of(clock) and day_of(at) >= day_of(clock) - 90
    ]
    return max(sum(told), 0)


def _lately(uses: Sequence[tuple[str, float]], latest: int) -> dict[str, int]:
    """Return the keys used last and when they were seen last, in whole seconds."""
    seen: dict[str, int] = {}
    for key, created in uses:
        at = max(math.floor(created), seen.pop(key, 0))
        seen[key] = at
        if len(seen) > latest:
            del seen[next(iter(seen))]
    return seen


def _since(seen: dict[str, int], own: str, this: Counted, length_s: float) -> int:
    now = this.created
    return sum(key == own or now - length_s <= at <= now + AHEAD for key, at in seen.items())
