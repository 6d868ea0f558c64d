"""What goes wrong in a schedule at some time, rather than at some step."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from tests.simulation.broker import Broker
    from tests.simulation.workers import Worker

_HOW_MANY = (0, 1, 1, 2, 3, 5)
_AWAY_S = (0.3, 2.0, 7.0, 15.0, 40.0)
_CUT_OFF_S = (0.5, 3.0, 9.0)
_FIRST_AT_S = 1.0


class Troubles:
    """Restarts, moves, more workers, a broker that is away.

    Parameters
    ----------
    random
        Draws them.
    broker
        Is away, forgets an offset that has expired, or holds offsets back for good.
    workers
        Those there are.
    add_worker
        Adds one.
    """

    def __init__(
        self,
        random: Random,
        broker: Broker,
        workers: Sequence[Worker],
        add_worker: Callable[[], None],
    ) -> None:
        self._random = random
        self._broker = broker
        self._workers = workers
        self._add_worker = add_worker

    def draw(self, window_s: float) -> None:
        """Draw some, while there are inputs."""
        for _ in range(self._random.choice(_HOW_MANY)):
            at_s = _FIRST_AT_S + window_s * self._random.random()
            self._broker.scheduler.later(at_s, self._one())

    def _one(self) -> Callable[[], None]:
        worker = self._random.choice(self._workers)
        return self._random.choice(
            (
                worker.kill,
                worker.stop,
                worker.stop,
                worker.stop,
                worker.disk.keep_older,
                self._add_worker,
                self._add_worker,
                partial(worker.move, self._random.choice(_CUT_OFF_S)),
                partial(self._broker.go_away, self._random.choice(_AWAY_S)),
                self._broker.group.hold_back,
                self._forget_an_offset,
            )
        )

    def _forget_an_offset(self) -> None:
        self._broker.group.forget_offset(self._random.choice(list(self._broker.logs)))
