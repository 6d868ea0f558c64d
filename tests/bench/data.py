"""The charges and disputes of a benchmark, simulated once and kept as they go over the wire."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import orjson

from streams.simulator import Simulation

if TYPE_CHECKING:
    from collections.abc import Sequence

SEED = 5
CARDS, MERCHANTS = 50_000, 5_000
DAYS = 42.0
HORIZON_DAYS = 7.0
"""Two of it have passed after a third of the days: from then on labels come as in normal operation,
and the model, which wants a week of matured charges, scores."""

_DAY_S = 86_400.0


class Event(NamedTuple):
    """One message of the stream, in the order it is published."""

    is_charge: bool
    key: bytes
    value: bytes


class Dataset:
    """A stream of charges with fraud disputes for about 0.5% of them, days to weeks later.

    Parameters
    ----------
    charges
        How many there are at least.
    start
        Unix time of the first one.
    days
        Event time that so many charges take.
    """

    def __init__(self, charges: int, start: float, days: float = DAYS) -> None:
        simulation = Simulation(
            seed=SEED,
            cards=CARDS,
            merchants=MERCHANTS,
            start=start,
            days=2.0 * days,
            charges_per_day=charges / days,
            duplicate_share=0.0,
        )
        self._events: list[Event] = []
        self._places: list[int] = []
        for event in simulation.events():
            is_charge = event.topic == "charges"
            if is_charge:
                self._places.append(len(self._events))
            self._events.append(Event(is_charge, event.key, orjson.dumps(event.value)))
            if len(self._places) > charges:
                break

    def __len__(self) -> int:
        return len(self._places) - 1

    def part(self, first: int, count: int) -> Sequence[Event]:
        """Return so many charges from one on, and the disputes that come between them."""
        return self._events[self._places[first] : self._places[first + count]]


def until(now: float, charges: int, after: int) -> Dataset:
    """Return a stream of which so many charges have come a day ago, and others come after."""
    days = DAYS * (charges + after) / charges
    return Dataset(charges + after, now - (DAYS + 1.0) * _DAY_S, days)


def created_at(events: Sequence[Event], times: Sequence[float]) -> list[Event]:
    """Return charges as if they were made at other times, and disputes with the charge before."""
    moved = []
    charges = iter(times)
    time = 0.0
    for event in events:
        time = next(charges) if event.is_charge else time
        value = orjson.loads(event.value) | {"created": time}
        moved.append(event._replace(value=orjson.dumps(value)))
    return moved


def in_groups(events: Sequence[Event], size: int) -> list[list[Event]]:
    """Cut a stream into groups."""
    rest = iter(events)
    return list(iter(lambda: list(islice(rest, size)), []))
