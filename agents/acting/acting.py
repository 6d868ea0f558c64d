"""A simulated stream whose actions are carried out while it is sent.

::

    charges ─▶ scored ─▶ blocked, or stopped by a challenge or a review ─▶ its disputes never come
                      └▶ challenged or reviewed ─▶ outcomes

No dispute is sent before the action of its charge is known. Where workers lag behind, the stream
waits for them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from agents.acting.actor import Actor, Told
from streams.errors import OperationalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from agents.settings.costs import Costs
    from streams.simulator import SimulatedEvent

    Read = Callable[[float], Sequence[bytes]]
    """Returns scored events, of which it waits for the first so many seconds at the most."""

ACT = "--act"
"""The option of `chargewatch simulate`."""

UNANSWERED_MAX_S = 60.0
"""How long no charge is scored, while some wait, before that is an error."""

_READ_WAIT_S = 0.1


class UnansweredError(OperationalError):
    """Charges are not scored, so nothing can be carried out."""


class Acted(NamedTuple):
    """What is to be sent next, and what has become of earlier charges.

    Attributes
    ----------
    events
        Charges, and the disputes that come.
    outcomes
        By card, in order of `created`.
    withheld
        How many disputes do not come, of those that would have by now.
    stopped
        Ids of the charges that were found to be stopped since the one before.
    """

    events: list[SimulatedEvent]
    outcomes: list[Told]
    withheld: int
    stopped: list[str]


class Acting:
    """Follows the scored charges of a stream and carries their actions out.

    Parameters
    ----------
    costs
        By whose rates challenges and reviews end.
    read
        Returns what was scored since the last call.
    unanswered_max_s
        As `UNANSWERED_MAX_S`.
    is_over
        Whether nothing is waited for any more.
    clock
        Of this machine, but in a test, seconds.
    """

    def __init__(
        self,
        costs: Costs,
        read: Read,
        *,
        unanswered_max_s: float = UNANSWERED_MAX_S,
        is_over: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._actor = Actor(costs)
        self._read = read
        self._unanswered_max_s = unanswered_max_s
        self._is_over = is_over
        self._clock = clock
        self._answered_at = clock()
        self._stopped: list[str] = []

    def carry_out(self, batches: Iterable[Sequence[SimulatedEvent]]) -> Iterator[Acted]:
        """Yield what is to be sent, a part of a batch at a time; each is sent before the next one.

        In the end it waits until all charges are scored. Outcomes that would be known after the
        last event are left out.

        Parameters
        ----------
        batches
            Events in order of `publish_time`.

        Raises
        ------
        UnansweredError
            When no charge is scored for long, though some wait for it.
        """
        actor = self._actor
        for batch in batches:
            self._take(0.0)
            comes: list[SimulatedEvent] = []
            withheld = 0
            for event in batch:
                actor.sent(event)
                if event.topic == "disputes":
                    charge = str(event.value["charge"])
                    if charge in actor.unanswered:
                        yield self._acted(comes, withheld)
                        comes, withheld = [], 0
                        self._wait_for(charge)
                    if charge in actor.stopped:
                        withheld += 1
                        continue
                comes.append(event)
            yield self._acted(comes, withheld)
        while actor.unanswered and not self._is_over():
            self._take(_READ_WAIT_S)
        yield self._acted([], 0)

    def _acted(self, comes: list[SimulatedEvent], withheld: int) -> Acted:
        stopped, self._stopped = self._stopped, []
        return Acted(comes, self._actor.told(), withheld, stopped)

    def _wait_for(self, charge: str) -> None:
        while charge in self._actor.unanswered and not self._is_over():
            self._take(_READ_WAIT_S)

    def _take(self, wait_s: float) -> None:
        """Carry out what was scored by now, waiting for the first of it so many seconds."""
        before = len(self._actor.unanswered)
        while values := self._read(wait_s):
            self._stopped += self._actor.scored(values)
            wait_s = 0.0
        now = self._clock()
        if not before or len(self._actor.unanswered) < before:
            self._answered_at = now
        elif now - self._answered_at > self._unanswered_max_s:
            raise UnansweredError(
                f"no charge was scored for {self._unanswered_max_s:.0f} s, and {before:,} wait for "
                f"it: start a worker (`chargewatch worker`), or leave {ACT} out, to send charges "
                "and disputes alone; what a worker rejects is on `charges.rejected`"
            )
