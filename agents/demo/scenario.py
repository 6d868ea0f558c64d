"""What the demo plays: weeks of history as fast as they are scored, then charges at a steady rate.

::

    start                                        live_start             live_end, now or before
    |-- history, as fast as the worker scores it ----|-- live, at a rate ---|-- what comes later
    |   nobody acts: all charges go through          |   actions are        |   is published if
    |                                                |   carried out        |   the demo stays
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from streams.durations import DAY_S, HOUR_S
from streams.simulator import SimulatedEvent, Simulation

_BEHIND_S = 6 * HOUR_S
"""How long before now the live part ends if the demo stays: more comes than in real time then."""

_CATCHING_UP_S = 3000.0
"""Seconds of the wall clock in which that is made up for, about."""

_STAYS_DAYS = 14.0
"""How long it stays at the most."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """How much is played, and how fast.

    Attributes
    ----------
    history_days
        Length of the history, days of event time.
    history_max_s
        Seconds of wall clock after which the history ends where it is.
    live_s
        Length of the live part, seconds of wall clock.
    charges_per_s
        Rate of the live part, about.
    charges_per_day
        Rate of event time.
    cards, merchants
        Sizes of the population.
    label_horizon_days
        The worker's, shorter than usual, so that a model is there within the history.
    stays
        Whether the stream goes on afterwards.
    seed
        Of the simulation.
    """

    history_days: float = 60.0
    history_max_s: float = 65.0
    live_s: float = 70.0
    charges_per_s: float = 300.0
    charges_per_day: float = 6000.0
    cards: int = 6000
    merchants: int = 400
    label_horizon_days: float = 14.0
    stays: bool = False
    seed: int = 1

    @property
    def live_days(self) -> float:
        """Length of the live part, days of event time."""
        return self.live_s * self.charges_per_s / self.charges_per_day

    def simulation(self, end: float) -> Simulation:
        """Return the simulation whose live part ends at `end`, Unix seconds."""
        days = self.history_days + self.live_days
        return Simulation(
            seed=self.seed,
            cards=self.cards,
            merchants=self.merchants,
            start=end - days * DAY_S,
            days=days + _STAYS_DAYS * self.stays,
            charges_per_day=self.charges_per_day,
            malformed_share=0.001,
        )


class Play:
    """The events of a scenario: the history, then the live part.

    Parameters
    ----------
    scenario
        What to play.
    now
        Unix seconds; nothing is played that would happen later.

    Attributes
    ----------
    scenario
        What it plays.
    start
        Where the history begins in event time, Unix seconds.
    history_s
        Length of the history if it is not cut short, seconds of event time.
    live_start
        Where the live part begins in event time, Unix seconds.
    """

    def __init__(self, scenario: Scenario, now: float) -> None:
        simulation = scenario.simulation(now - _BEHIND_S * scenario.stays)
        self.scenario = scenario
        self.start = simulation.start
        self.history_s = scenario.history_days * DAY_S
        self.live_start = self.start + self.history_s
        self._live_s = scenario.live_days * DAY_S
        self._events = simulation.events()
        self._next = next(self._events, None)

    def history(self, is_over: Callable[[], bool]) -> Iterator[SimulatedEvent]:
        """Yield the events of the history, until it is over or called so."""
        while self._next is not None and self._next.publish_time < self.live_start:
            if is_over():
                self.live_start = self._next.publish_time
                return
            yield self._take()

    def live(self) -> list[SimulatedEvent]:
        """Return the events of the live part, which begins where the history has ended."""
        live = []
        while self._next is not None and self._next.publish_time <= self.live_end:
            live.append(self._take())
        return live

    def rest(self) -> Iterator[SimulatedEvent]:
        """Yield what comes after the live part."""
        while self._next is not None:
            yield self._take()

    def rest_due_s(self, event: SimulatedEvent, now: float) -> float:
        """Return when an event of the rest is due, seconds after its beginning, which is `now`.

        It comes faster than its own time until it has caught up with the clock, and then by it.
        """
        behind_s = now - self.live_end
        of_catching_up = (event.publish_time - self.live_end) / behind_s * _CATCHING_UP_S
        return max(of_catching_up, event.publish_time - now)

    @property
    def live_end(self) -> float:
        """Where the live part ends in event time, Unix seconds."""
        return self.live_start + self._live_s

    def _take(self) -> SimulatedEvent:
        event = self._next
        assert event is not None
        self._next = next(self._events, None)
        return event
