"""Which charges of a stream were stopped, and what is to be told of them. Pure: no Kafka, no clock.

Time is that of the stream: the newest time at which one of its events was sent.
"""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING

import orjson

from agents.acting.fates import draw_of, fate, outcome_payload
from schemas.scored import ACTIONS
from streams.events.rows import charge_hash

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agents.settings.costs import Costs
    from streams.simulator import SimulatedEvent

Told = tuple[bytes, bytes]
"""The card as a key, and an outcome."""


class Actor:
    """Carries out the actions of the charges that it was told of, each once.

    Scored events of other charges, and further ones of the same charge, change nothing.

    Parameters
    ----------
    costs
        By whose rates challenges and reviews end.

    Attributes
    ----------
    time
        Of the stream, Unix seconds.
    stopped
        Ids of the charges that have ended.
    unanswered
        Charges not scored yet, and whether each would be disputed as fraudulent.
    """

    def __init__(self, costs: Costs) -> None:
        self.time = 0.0
        self.stopped: set[str] = set()
        self.unanswered: dict[str, bool] = {}
        self._costs = costs
        self._coming: list[tuple[float, int, Told]] = []
        self._ties = count()

    def sent(self, event: SimulatedEvent) -> None:
        """Take an event that is sent; in order of `publish_time`."""
        self.time = event.publish_time
        if event.topic == "charges" and not event.duplicate and not event.fault:
            self.unanswered[str(event.value["id"])] = event.disputed

    def scored(self, values: Iterable[bytes]) -> list[str]:
        """Carry out the actions of scored events; return the ids of the charges that it stopped."""
        stopped = []
        for value in values:
            event = orjson.loads(value)
            charge = event["charge"]
            is_fraud = self.unanswered.pop(charge, None)
            if is_fraud is None:
                continue
            draw = draw_of(charge_hash(event["card"], charge))
            found = fate(ACTIONS.index(event["action"]), draw, self._costs, is_fraud=is_fraud)
            if found.is_stopped:
                stopped.append(charge)
            if found.outcome is not None:
                known_at = max(event["created"] + found.after_s, self.time)
                payload = outcome_payload(f"outcome-{charge}", event, found.outcome, known_at)
                told = (event["card"].encode(), payload)
                heapq.heappush(self._coming, (known_at, next(self._ties), told))
        self.stopped.update(stopped)
        return stopped

    def told(self) -> list[Told]:
        """Take the outcomes that are known by now; `created` never falls from one to the next."""
        told = []
        while self._coming and self._coming[0][0] <= self.time:
            told.append(heapq.heappop(self._coming)[2])
        return told
