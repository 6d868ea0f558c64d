"""The order in which charges and disputes count, told event by event from lists."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from schemas.charge import Charge
from tests.agents.stages.stages import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from schemas.dispute import Dispute
    from tests.streams.features.brute_past import Event

INDEX_DAYS = 16.0
"""Charges are forgotten for their disputes in periods of so many days."""


@dataclass
class CountingOrder:
    """One partition.

    Attributes
    ----------
    own_retention_s
        Of payment methods that have one of their own.
    counted
        Events in the order in which they count; a dispute names the merchant of its charge.
    given_up
        Disputes whose charge did not come in time.
    claims
        How many disputes were there before their charge.
    """

    wait_s: float
    dedup_window_s: float
    retention_s: float
    own_retention_s: Mapping[str | None, float] = field(default_factory=dict)
    counted: list[Event] = field(default_factory=list)
    given_up: list[Dispute] = field(default_factory=list)
    claims: int = 0

    def __post_init__(self) -> None:
        self._clock = 0.0
        self._charges: dict[tuple[str, str], Charge] = {}
        self._waiting: list[tuple[float, Dispute]] = []
        self._for_time: list[Dispute] = []

    def take(self, events: Iterable[Event]) -> None:
        """Take events as they come."""
        for event in events:
            if isinstance(event, Charge):
                self._take_charge(event)
            elif (known := self._charge_of(event)) is None:
                self._waiting.append((max(self._clock, event.created), event))
            else:
                self._for_time.append(_at(known, event))
                self._let_count(lambda dispute: dispute.created <= self._clock)

    def pause(self) -> None:
        """Let no charge come for a while."""
        self._let_count(lambda _: True)

    def _take_charge(self, charge: Charge) -> None:
        now = max(self._clock, charge.created)
        self._let_count(lambda dispute: dispute.created < now)
        self.counted.append(charge)
        self._clock = now
        for since, dispute in list(self._waiting):
            if since + self.wait_s < now:
                self._waiting.remove((since, dispute))
                self.given_up.append(dispute)
        name = (charge.card, charge.id)
        before = self._charges.get(name)
        if before is None or abs(before.created - charge.created) > self.dedup_window_s:
            self._charges[name] = charge
        for since, dispute in list(self._waiting):
            if (dispute.card, dispute.charge) == name:
                self._waiting.remove((since, dispute))
                self._for_time.append(_at(charge, dispute))
                self.claims += 1
        self._let_count(lambda dispute: dispute.created <= now)

    def _charge_of(self, dispute: Dispute) -> Charge | None:
        charge = self._charges.get((dispute.card, dispute.charge))
        if charge is None:
            return None
        period_s = INDEX_DAYS * DAY
        retention_s = self.own_retention_s.get(charge.payment_method, self.retention_s)
        oldest = (self._clock - retention_s) // period_s
        return None if charge.created // period_s < oldest else charge

    def _let_count(self, is_due: object) -> None:
        assert callable(is_due)
        due = sorted(filter(is_due, self._for_time), key=lambda dispute: dispute.created)
        self._for_time = [dispute for dispute in self._for_time if not is_due(dispute)]
        self.counted += due


def _at(charge: Charge, dispute: Dispute) -> Dispute:
    return msgspec.structs.replace(dispute, merchant=charge.merchant)
