"""How long charges took from their topic until their scored event was on its own.

Both ends are times of the brokers, as of the histogram of the workers: neither the clock of a
producer nor the event time of a charge is in it. Of a charge that was put on its topic long after
it was made, such as one of a history, nobody waited for the score: it is not counted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

WAITED_FOR_S: Final = 300.0
"""A charge that comes to its topic later than so long after it was made is one of a history."""

STEP_RATIO: Final = 1.1
"""Between the ends of a step of the histogram."""

STEP_MAX: Final = 160
"""Some 70 minutes; what took longer is in it, too."""

_FIRST_S: Final = 0.001


def latency_of(created: float, put_at: float, scored_at: float) -> float | None:
    """Return how long a charge took, seconds; `None` where nobody waited for it.

    Parameters
    ----------
    created
        When it was made, Unix seconds.
    put_at, scored_at
        When it was put on its topic, and its scored event on that of those, by the brokers.

    Examples
    --------
    >>> latency_of(created=99.0, put_at=100.0, scored_at=100.25), latency_of(99.0, 9999.0, 9999.25)
    (0.25, None)
    """
    return scored_at - put_at if put_at - created <= WAITED_FOR_S else None


def step_of(latency_s: float) -> int:
    """Return the step of the histogram that a latency is in; less than a millisecond is in 0.

    The clocks of two brokers may make it less than nothing.

    >>> step_of(0.0), step_of(0.05), step_of(1e9)
    (0, 42, 160)
    """
    if latency_s <= _FIRST_S:
        return 0
    return min(math.ceil(math.log(latency_s / _FIRST_S) / math.log(STEP_RATIO)), STEP_MAX)


def quantile_of(charges: Mapping[int, int], share: float) -> float | None:
    """Return the latency below which a share of the charges is, seconds; `None` without any.

    It is the upper end of the step in which that charge is: at most a tenth too high.

    >>> round(quantile_of({42: 99, 60: 1}, 0.99), 4), quantile_of({}, 0.5)
    (0.0548, None)
    """
    left = math.ceil(share * sum(charges.values()))
    for step in sorted(charges):
        left -= charges[step]
        if left <= 0:
            return _FIRST_S * STEP_RATIO**step
    return None
