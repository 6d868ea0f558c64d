"""The simulation: charges and disputes in the order they are published."""

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count

from streams.simulator.event import SimulatedEvent
from streams.simulator.fraud_patterns import PATTERNS
from streams.simulator.parameters import Parameters
from streams.simulator.population import Population, blocks, make_population
from streams.simulator.publishing import Publisher


@dataclass(frozen=True, kw_only=True)
class Simulation(Parameters):
    """A stream of charges and disputes, the same for the same parameters.

    Memory depends on the numbers of cards and merchants, on the charges of an hour and on the
    disputes under way; not on `days`. A shorter simulation begins exactly as a longer one.
    The parameters are those of `Parameters`.

    Examples
    --------
    >>> simulation = Simulation(seed=1, cards=500, merchants=50, days=1, charges_per_day=1000)
    >>> events = list(simulation.events())
    >>> events == list(simulation.events())
    True
    >>> sorted({event.topic for event in events})
    ['charges', 'disputes']
    >>> simulation.truth() == {
    ...     event.value["id"]: event.fraud
    ...     for event in events
    ...     if event.topic == "charges" and event.fraud
    ... }
    True
    """

    def events(self) -> Iterator[SimulatedEvent]:
        """Yield all events in order of `publish_time`.

        When the charges have ended, the late ones and the disputes under way still follow.
        """
        publisher = Publisher(self, self._population)
        later: list[tuple[float, int, SimulatedEvent]] = []
        ties = count()
        for block in blocks(self, self._population):
            prompt, waiting = publisher.publish(block)
            for event in waiting:
                heapq.heappush(later, (event.publish_time, next(ties), event))
            for event in prompt:
                while later and later[0][0] < event.publish_time:
                    yield heapq.heappop(later)[2]
                yield event
        while later:
            yield heapq.heappop(later)[2]

    def truth(self) -> dict[str, str]:
        """Return every fraudulent charge's id with its pattern, the never disputed ones included.

        Replays the simulation without making its events; memory grows with the frauds alone.

        Raises
        ------
        ValueError
            When `days` is infinite.
        """
        if math.isinf(self.days):
            raise ValueError("days: expected a finite number, to know the whole truth")
        return {
            charge: PATTERNS[pattern - 1]
            for block in blocks(self, self._population)
            for charge, pattern in zip(
                block.charge_ids(), block.rows["pattern"].tolist(), strict=True
            )
            if pattern
        }

    @cached_property
    def _population(self) -> Population:
        return make_population(self)
