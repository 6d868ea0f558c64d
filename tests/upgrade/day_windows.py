"""What the windows of 24 hours may hold while versions with other tiles take turns.

Tiles of one version go to those of the other in which they end. So a window may hold what is older
than it should, and what is read for a charge behind its record's clock may lack what was moved past
it. Where all that counts was counted by the version that scores, nothing was moved, and the window
is told exactly, by that version's tiles.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING

from schemas.charge import Charge
from tests.chaos.traffic import DAY_S
from tests.streams.features.brute_merchant import BITS, linear_count
from tests.streams.features.brute_past import AHEAD, Counted, counted
from tests.streams.features.brute_shared import entities_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.chaos.oracle import Bounds, Expected, Frame, Input

    Range = tuple[float, float]

FAILED_CHECKS = "card_failed_checks_24h"
"""Whose ring the version before does not have, and the later one under another name: it begins
empty with each of them."""

_TILES_S = (10_800.0, 7200.0)
_MOVED_S = 2 * sum(_TILES_S)
"""By how much tiles may be moved: to the other version and back, and that twice."""

_OLDEST_S = DAY_S + max(_TILES_S) + _MOVED_S
"""A charge that is older by so much is in no window, however it was moved."""


@dataclass
class _Key:
    """The charges of a card, or of a merchant, each with the turn in which it was counted."""

    charges: list[tuple[Counted, int]] = field(default_factory=list)
    clock: float = 0.0


class DayWindows:
    """The windows of 24 hours of all cards, or of all merchants.

    Parameters
    ----------
    tile_s
        Of the version that counts each charge, by the charge's number.
    """

    def __init__(self, tile_s: Callable[[int], float]) -> None:
        self._tile_s = tile_s
        self._keys: dict[str, _Key] = defaultdict(_Key)
        self._turns: dict[int, tuple[int, float]] = {}
        self.exact = 0
        self.mixed = 0

    def at(
        self, partition: int, number: int, key: str, charge: Charge, *, counts: bool
    ) -> tuple[list[Counted], list[Counted]]:
        """Return what the window of a charge holds at least, and at the most, itself included.

        Charges come in the order of their partition; those that do not count are duplicates.
        """
        tile_s = self._tile_s(number)
        turn, of_turn = self._turns.get(partition, (0, tile_s))
        if of_turn != tile_s:
            turn += 1
        self._turns[partition] = turn, tile_s
        past = self._keys[key]
        this = counted(charge, past.clock)
        recent = [(o, t) for o, t in past.charges if o.created >= this.created - _OLDEST_S]
        others = [other for other, _ in recent]
        if all(of_other == turn for _, of_other in recent):
            self.exact += 1
            least = most = [other for other in others if _holds(tile_s, this, other)]
        else:
            self.mixed += 1
            least = [other for other in others if _must_hold(this, other)]
            most = [other for other in others if other.created < this.created + max(_TILES_S)]
        if counts:
            past.charges.append((this, turn))
            past.clock = this.clock
        return [*least, this], [*most, this]


def day_bounds(
    inputs: Sequence[Input], frames: Iterable[Frame], expected: Expected,
    at_card: DayWindows, at_merchant: DayWindows,
) -> Bounds:  # fmt: skip
    """Return the bounds of all features that windows of 24 hours have a part in."""
    bounds: dict[int, dict[str, Range]] = {}
    for item in sorted(inputs, key=lambda item: (item.partition, item.offset)):
        number, charge = item.sent.number, item.sent.event
        if isinstance(charge, Charge):
            counts = number not in expected.duplicates
            held = at_card.at(item.partition, number, charge.card, charge, counts=counts)
            bounds[number] = _velocity("card", *held)
            bounds[number][FAILED_CHECKS] = failed([held[1][-1]]), failed(held[1])
            in_month = max(expected.features[number]["card_count_30d"], 1.0)
            count = bounds[number]["card_count_24h"]
            bounds[number]["card_pace_24h"] = (
                30.0 * count[0] / in_month, 30.0 * count[1] / in_month,
            )  # fmt: skip
    events = {item.sent.number: item.sent.event for item in inputs}
    for frame in sorted(frames, key=lambda frame: (frame.partition, frame.turn)):
        charge = events[frame.number]
        if isinstance(charge, Charge) and frame.number not in expected.duplicates:
            held = at_merchant.at(
                frame.partition, frame.number, charge.merchant, charge, counts=True
            )
            bounds[frame.number] |= _velocity("merchant", *held)
            cards = [linear_count((o.charge.card for o in of), BITS["cards_24h"]) for of in held]
            bounds[frame.number]["merchant_cards_24h"] = cards[0], cards[1]
    for number, of_shared in _of_shared(inputs, expected).items():
        bounds[number] |= of_shared
    return bounds


def _of_shared(inputs: Sequence[Input], expected: Expected) -> dict[int, dict[str, Range]]:
    """Return the bounds of windows of what charges share.

    Which version has counted a charge there is told nowhere: so they hold at least the charge
    itself, and at the most all that are of its day and around it.
    """
    charges = [
        (item.sent.number, counted(item.sent.event, 0.0))
        for item in inputs
        if isinstance(item.sent.event, Charge) and item.sent.number not in expected.duplicates
    ]
    users: dict[tuple[str, str], list[Counted]] = defaultdict(list)
    for _, this in charges:
        for entity in entities_of(this.charge):
            users[entity].append(this)
    bounds: dict[int, dict[str, Range]] = {}
    for number, this in charges:
        bounds[number] = {}
        for kind, value in entities_of(this.charge):
            most = [
                other
                for other in users[kind, value]
                if -_OLDEST_S <= other.created - this.created < max(_TILES_S)
            ]
            bounds[number] |= _velocity(kind, [this], most)
    return bounds


def failed(charges: Iterable[Counted]) -> int:
    """Return how many of the charges failed a check."""
    checks = [(each.charge.cvc_check, each.charge.postal_check) for each in charges]
    return sum("fail" in of_charge for of_charge in checks)


def _velocity(scope: str, least: Sequence[Counted], most: Sequence[Counted]) -> dict[str, Range]:
    sums = [sum(other.amount for other in held) for held in (least, most)]
    return {
        f"{scope}_count_24h": (len(least), len(most)),
        f"{scope}_sum_24h": (sums[0], sums[1]),
    }


def _holds(tile_s: float, this: Counted, other: Counted) -> bool:
    """Whether a window of tiles of one length holds a charge: up to the tile of its own time."""
    last = this.created // tile_s
    kept = this.clock // tile_s - DAY_S / tile_s - ceil(AHEAD / tile_s)
    return max(last - DAY_S / tile_s, kept) <= other.created // tile_s <= last


def _must_hold(this: Counted, other: Counted) -> bool:
    """Whether a window holds a charge, however its tile was moved up to that of the clock."""
    is_at_clock = all(this.created // tile_s == this.clock // tile_s for tile_s in _TILES_S)
    until = this.clock if is_at_clock else this.created - _MOVED_S
    return this.clock - DAY_S <= other.created <= until
