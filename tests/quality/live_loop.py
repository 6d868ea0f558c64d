"""What comes back of the scored charges of a worker whose actions are carried out, and the figures.

The rates and the draws are those of the closed loop of a backtest.
"""

from __future__ import annotations

from array import array
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson

from agents.acting.fates import draw_of, fate, outcome_payload
from agents.evaluation.loop import loop_summary
from agents.evaluation.outcome_collector import Drawn
from agents.evaluation.outcomes import Outcomes
from schemas.scored import ACTIONS
from streams.durations import DAY_S
from streams.events.rows import charge_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agents.settings.costs import Costs
    from schemas.currency import Rates

Named = tuple[str, str]
"""The card and the id of a charge."""

FIGURES_DAYS = 30


class Labels(NamedTuple):
    """What is said of charges by a time, each in the order of its own."""

    disputes: list[bytes]
    outcomes: list[bytes]


class Loop:
    """Carries actions out, and gives what is then said of the charges.

    Parameters
    ----------
    disputes
        All that would come if nobody acted.
    costs
        Has the rates of challenges and reviews.

    Attributes
    ----------
    frauds
        The charges that would be disputed as fraudulent.
    """

    def __init__(self, disputes: Iterable[bytes], costs: Costs) -> None:
        events = [(orjson.loads(line), line) for line in disputes]
        events.sort(key=lambda each: float(each[0]["created"]))
        self.frauds = {_named(event) for event, _ in events if event["reason"] == "fraudulent"}
        self._disputes = [(float(event["created"]), _named(event), line) for event, line in events]
        self._costs = costs
        self._stopped: set[Named] = set()
        self._outcomes: list[tuple[float, int, bytes]] = []
        self._told = self._disputed = 0

    def due(self, until: float) -> Labels:
        """Take what is said before a time; what was stopped is not disputed."""
        labels = Labels([], [])
        while self._disputed < len(self._disputes) and self._disputes[self._disputed][0] < until:
            _, charge, line = self._disputes[self._disputed]
            self._disputed += 1
            if charge not in self._stopped:
                labels.disputes.append(line)
        while self._outcomes and self._outcomes[0][0] < until:
            labels.outcomes.append(heappop(self._outcomes)[2])
        return labels

    def carry_out(self, events: Iterable[dict[str, Any]], ends_at: float) -> None:
        """Carry the actions of scored events out; nothing of them is known before `ends_at`."""
        for event in events:
            if event["action"] != "allow" and "duplicate" not in event:
                self._carry_out(event, ends_at)

    def _carry_out(self, event: dict[str, Any], ends_at: float) -> None:
        charge = _named(event)
        found = fate(
            ACTIONS.index(event["action"]),
            draw_of(charge_hash(*charge)),
            self._costs,
            is_fraud=charge in self.frauds,
        )
        if found.is_stopped:
            self._stopped.add(charge)
        if found.outcome is not None:
            self._told += 1
            created = max(event["created"] + found.after_s, ends_at)
            line = outcome_payload(f"outcome-{self._told}", event, found.outcome, created)
            heappush(self._outcomes, (created, self._told, line))


class Answers:
    """What the charges were scored, in columns.

    Parameters
    ----------
    frauds
        The charges that would be disputed as fraudulent.
    rates
        Of their currencies.
    """

    def __init__(self, frauds: set[Named], rates: Rates) -> None:
        self._frauds = frauds
        self._rates = rates
        self._created, self._amount, self._score = array("d"), array("d"), array("d")
        self._card = array("q")
        self._action, self._chosen, self._fraud = array("B"), array("B"), array("B")

    def add(self, events: Iterable[dict[str, Any]]) -> None:
        """Take scored events; a duplicate does not count."""
        for event in events:
            if "duplicate" in event:
                continue
            self._created.append(event["created"])
            self._amount.append(self._rates.usd(event["amount"], event["currency"]))
            self._score.append(event["score"])
            self._card.append(hash(event["card"]))
            self._action.append(ACTIONS.index(event["action"]))
            self._chosen.append(ACTIONS.index(event.get("holdout", event)["action"]))
            self._fraud.append(_named(event) in self._frauds)

    def figures(self, start: float, costs: Costs) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the figures of the charges from a time on, by 30 days, and of all of them.

        They are those of a side of `agents.evaluation.loop.loop_summary`.
        """
        created, chosen = np.array(self._created), np.array(self._chosen, np.uint8)
        outcomes = Outcomes(
            created, np.array(self._card), np.array(self._amount), np.array(self._score),
            np.array(self._action, np.uint8), np.array(self._fraud, np.bool_),
        )  # fmt: skip
        begin = max(start, float(created.min()))
        periods = np.arange(begin, created.max(), FIGURES_DAYS * DAY_S).tolist()
        parts = [(f"days {i * FIGURES_DAYS + 1} on", at, at + FIGURES_DAYS * DAY_S)
                 for i, at in enumerate(periods)]  # fmt: skip
        for name, since, until in [*parts, ("all", begin, np.inf)]:
            rows = (created >= since) & (created < until)
            part = outcomes.only(rows)
            places = np.flatnonzero(part.action != chosen[rows])
            drawn = Drawn(places, chosen[rows][places])
            yield name, loop_summary(part, part, drawn, costs)["closed"]


def _named(event: dict[str, Any]) -> Named:
    return event["card"], event["charge"]
