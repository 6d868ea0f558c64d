"""When people pay: the weight of each local hour of the week."""

import numpy as np
import numpy.typing as npt

from streams.durations import DAY_S, HOUR_S
from streams.simulator.randomness import F64

STYLES = 3
"""Ways to spend a day: most people, early risers, night owls."""

_DAY = (2, 1, 1, 1, 1, 3, 8, 18, 30, 38, 45, 55, 68, 62, 52, 50, 56, 70, 80, 74, 58, 40, 22, 8)
_WEEK = (0.90, 0.90, 0.94, 0.99, 1.16, 1.20, 0.91)
_SHIFT_H = (0, -2, 5)


def _weekly() -> F64:
    """Weights of shape (styles, weekdays from Monday, hours), each style of mean 1."""
    day = np.array(_DAY, dtype=np.float64)
    styles = np.stack([np.roll(day, shift) for shift in _SHIFT_H])
    week = np.array(_WEEK)[None, :, None] * styles[:, None, :]
    return np.asarray(week / week.mean(axis=(1, 2), keepdims=True))


WEEKLY = _weekly()


def weights(time: float, utc_offset_h: F64, style: npt.NDArray[np.int64]) -> F64:
    """Return how busy each group of people is at a moment, 1 being its mean over the week.

    Parameters
    ----------
    time
        Unix seconds.
    utc_offset_h
        Local time minus UTC of each group, in hours.
    style
        Index below `STYLES` of each group.

    Examples
    --------
    Noon against four in the morning in London, on a Monday (1970-01-05):

    >>> monday, london = 4 * DAY_S, np.zeros(1)
    >>> usual = np.zeros(1, dtype=np.int64)
    >>> noon, night = (weights(monday + h * HOUR_S, london, usual)[0] for h in (12, 4))
    >>> float(round(noon / night))
    68.0
    """
    local_s = time + utc_offset_h * HOUR_S
    day = np.floor(local_s / DAY_S)
    weekday = ((day + 3) % 7).astype(np.int64)  # 1970-01-01 was a Thursday
    hour = ((local_s - day * DAY_S) // HOUR_S).astype(np.int64)
    return np.asarray(WEEKLY[style, weekday, hour])
