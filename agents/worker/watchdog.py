"""Ends a worker that is wedged, so that its supervisor starts it again.

Two things show it: turns that end no more, and turns that take nothing although inputs wait. A
worker that waits for a broker which is away is not wedged.
"""

import faulthandler
import logging
import os
import threading
from collections.abc import Callable
from time import monotonic

logger = logging.getLogger(__name__)

WEDGED = 70
"""Exit code of a worker that ended itself (EX_SOFTWARE)."""


class Watchdog:
    """Is told of life and progress, and tells when there was none for too long.

    Parameters
    ----------
    patience_s
        How long is too long, seconds.
    clock
        Monotonic seconds.

    Examples
    --------
    >>> now = [0.0]
    >>> watchdog = Watchdog(60.0, lambda: now[0])
    >>> watchdog.turn(taken=10, lag=5)
    >>> now[0] = 50.0
    >>> watchdog.turn(taken=10, lag=5)
    >>> watchdog.complaint()
    >>> now[0] = 61.0
    >>> watchdog.complaint()
    'nothing taken for 61 s while 5 messages wait'
    """

    def __init__(self, patience_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._patience_s = patience_s
        self._clock = clock
        self._alive_at = self._moved_at = clock()
        self._taken = self._lag = 0

    def alive(self) -> None:
        """Note that the worker does something, if only waiting for a broker."""
        self._alive_at = self._clock()

    def turn(self, taken: int, lag: int) -> None:
        """Note a turn.

        Parameters
        ----------
        taken
            Anything that changes when inputs are taken.
        lag
            Messages that wait and could be taken.
        """
        self.alive()
        if taken != self._taken or lag == 0:
            self._moved_at = self._alive_at
        self._taken, self._lag = taken, lag

    def complaint(self) -> str | None:
        """Return what is wrong, if it has been for too long."""
        now = self._clock()
        if now - self._alive_at > self._patience_s:
            return f"no turn ended for {now - self._alive_at:.0f} s"
        if self._lag and now - self._moved_at > self._patience_s:
            return f"nothing taken for {now - self._moved_at:.0f} s while {self._lag} messages wait"
        return None

    def start(self) -> None:
        """Watch in a thread of its own, for the event loop may be what hangs."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def _watch(self) -> None:
        never = threading.Event()
        while not never.wait(self._patience_s / 10.0):
            if complaint := self.complaint():
                logger.critical("the worker is wedged and ends itself: %s", complaint)
                faulthandler.dump_traceback()
                os._exit(WEDGED)
