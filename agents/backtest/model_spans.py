"""How far a backtest can go on with one model: until a new one may have been learned.

The model may change at fixed times only, and does only when a snapshot has become due. So many
examples are known not to have come before: a dispute or outcome makes one and its controls at the
most, silence as many as there are charges that it is the time of. Until then a batch goes on over
the times at which the model may change::

    times at which it may change    |     |     |     |     |     |
    examples by then, at the most     12    53    53    97   180   300
    next snapshot after 100         |------ one batch ------|
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.events.rows import CHARGE
from streams.labels.join import CONTROLS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from agents.stages.card import CardOutput
    from streams.events.batch import Times

_EXAMPLES_OF_A_LABEL = 1 + CONTROLS


def interval_ends(times: Times, interval_s: float) -> NDArray[np.int64]:
    """Return where the parts of events end that lie within one interval each.

    >>> interval_ends(np.array([0.0, 10.0, 599.0, 600.0, 1800.0]), 600.0).tolist()
    [3, 4, 5]
    """
    return np.append(np.flatnonzero(np.diff(times // interval_s)) + 1, len(times))


class Spans:
    """Ends of batches that one model scores.

    Parameters
    ----------
    counted
        Events, at least one, none of which is scored yet.
    ends
        Where the model may change; the last is the end of the events.
    due
        Of charges before the events that may make an example: the times of their creation, rising,
        and after how many seconds they do, for each number of seconds.
    horizons_s
        The same of each event that is a charge, f8[events], seconds.
    """

    def __init__(
        self,
        counted: CardOutput,
        ends: NDArray[np.int64],
        due: Iterable[tuple[Times, float]],
        horizons_s: NDArray[np.float64],
    ) -> None:
        events, now = counted.frames.rows["event"], counted.times[ends - 1]
        is_charge = events["kind"] == CHARGE
        labels = np.cumsum(~is_charge)[ends - 1]
        new = [
            (counted.times[is_charge & (horizons_s == horizon_s)], horizon_s)
            for horizon_s in np.unique(horizons_s).tolist()
        ]
        of_silence = sum(
            np.searchsorted(created, now - horizon_s) for created, horizon_s in (*due, *new)
        )
        self._ends = ends
        self._examples = _EXAMPLES_OF_A_LABEL * labels + of_silence

    def end_after(self, start: int, before: int) -> int:
        """Return where a batch ends that begins at `start`.

        Parameters
        ----------
        start
            Position of its first event: 0 or where one before it ended.
        before
            All its examples but those after the last time at which the model may change are fewer.
        """
        first = int(np.searchsorted(self._ends, start, "right"))
        known = int(self._examples[first - 1]) if first else 0
        allowed = known + before
        last = int(np.searchsorted(self._examples[first:], allowed)) + first
        return int(self._ends[min(last, len(self._ends) - 1)])
