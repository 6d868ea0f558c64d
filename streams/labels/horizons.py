"""How far silence has come: up to when charges have matured, method by method.

Charges with the same horizon mature in the order of their creation, so one time tells how far that
has come. Each method of payment with times of its own has timers by itself: a horizon that is set
anew moves the charges of its own methods and no others. Timers are taken once, so where it is not
known how far they were taken, all that are left are those that have not been.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streams.labels.pending import DAY_BYTES, KEY_BYTES, METHOD_BYTES, method_code, method_in
from streams.labels.timers import Timers
from streams.state.tables import TablePart, beginnings

if TYPE_CHECKING:
    import numpy.typing as npt

    from streams.labels.label_rules import LabelRules
    from streams.state.tables import TaskState


@dataclass(slots=True)
class _Clock:
    """Timers with the same horizon, and up to which time of creation they are taken."""

    timers: Timers
    horizon_s: float
    until: float = 0.0


class Horizons:
    """The timers of one task.

    Parameters
    ----------
    state
        Tables of the task.
    rules
        The horizons.
    """

    def __init__(self, state: TaskState, rules: LabelRules) -> None:
        self._state = state
        self._rules = rules
        self.reload(0.0)

    @property
    def until(self) -> float:
        """Up to when charges have matured that have no times of their own, Unix seconds."""
        return self._clocks[b""].until

    def reload(self, until: float) -> None:
        """Ask the tables again; `until` is what the attribute was at the last commit."""
        self._clocks = {b"": _Clock(Timers(self._state.timers), self._rules.horizon_s, until)}
        for method in beginnings(self._state.method_timers, METHOD_BYTES):
            self._clock(method)

    def matured_until(
        self, times: npt.NDArray[np.float64], method: bytes = b""
    ) -> npt.NDArray[np.float64]:
        """Return up to when charges of a method have matured at stream times, f8[N]."""
        clock = self._clock(method)
        return np.maximum(times - clock.horizon_s, clock.until)

    def set(self, key: bytes, at: float) -> None:
        """Have a kept charge mature as one that was created at a time."""
        self._clock(method_in(key)).timers.add(at, key[DAY_BYTES:KEY_BYTES], key)

    def take(self, now: float) -> dict[bytes, float]:
        """Take the charges whose horizon has passed at a stream time.

        Returns
        -------
        dict
            By their keys the stream times at which it had, in the order of these.
        """
        due: dict[bytes, float] = {}  # two charges of one id and day are kept as one
        methods = 0
        for _, clock in sorted(self._clocks.items()):
            before, until = len(due), max(clock.until, now - clock.horizon_s)
            for time, key in clock.timers.take(clock.until, until):
                due.setdefault(key, time + clock.horizon_s)
            clock.until = until
            methods += len(due) > before
        return due if methods < 2 else dict(sorted(due.items(), key=lambda item: item[1]))

    def due_by(self, now: float) -> list[tuple[npt.NDArray[np.float64], float]]:
        """Return what is to be taken by a stream time, of each horizon apart.

        Returns
        -------
        list
            Times of creation, rising, and the horizon, all in seconds.
        """
        return [
            (clock.timers.times_before(now - clock.horizon_s), clock.horizon_s)
            for clock in self._clocks.values()
        ]

    def _clock(self, method: bytes) -> _Clock:
        if method not in self._clocks:
            table = TablePart(self._state.method_timers, method)
            horizon_s = self._rules.times(method_code(method)).horizon_s
            self._clocks[method] = _Clock(Timers(table), horizon_s)
        return self._clocks[method]
