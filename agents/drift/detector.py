"""Whether and where a short series has shifted: the Page-Hinkley test, on a scale of its own.

The values are means of days. They are told in their own day-to-day deviations (of the differences
of neighbours, which a single shift hardly changes), so that one threshold fits all signals, and a
day counts for 4 at most, so that a shift has to last.

The test is a few sums over the series, held against river's own by a test. Every worker watches for
drift, and would import river for it, which takes longer than all its other imports.

References
----------
Page 1954, "Continuous inspection schemes".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

VALUES_MIN = 14
"""Values that are needed to tell: two weeks, so that weekends are among what is usual."""

THRESHOLD, TOLERANCE = 10.0, 1.0
"""Of the test, in deviations. Measured on normal noise after 30 or 45 days of it: a shift of 3 is
found after 6 days (median), one of 6 after 4. On simulated streams 8 and 0.5 fire for features that
do not change, these do not."""

_FAR = 4.0
_SMALLEST = 1e-4  # a share that has always been 0 has shifted when it is some of these
_SQRT2 = math.sqrt(2.0)


def shifted_at(values: NDArray[np.float64]) -> int | None:
    """Return the place of the first value after a shift of the mean, `None` when there is none.

    Where, tells the split whose two sides differ most, in standard errors.

    >>> shifted_at(np.array([0.0, 1.0] * 10 + [5.0, 6.0] * 2))
    20
    >>> shifted_at(np.array([0.0, 1.0] * 12)) is None
    True
    """
    if len(values) < VALUES_MIN:
        return None
    deviation = max(float(np.diff(values).std()) / _SQRT2, _SMALLEST)
    scaled = np.clip((values - np.median(values)) / deviation, -_FAR, _FAR)
    return _best_split(scaled) if _drifts(scaled) else None


def _drifts(values: NDArray[np.float64]) -> bool:
    """Tell whether values depart from the mean of those up to them, either way, for long enough."""
    apart = values - np.cumsum(values) / np.arange(1, len(values) + 1)
    up, down = np.cumsum(apart - TOLERANCE), np.cumsum(apart + TOLERANCE)
    risen, fallen = up - np.minimum.accumulate(up), np.maximum.accumulate(down) - down
    return bool((np.maximum(risen, fallen)[VALUES_MIN - 1 :] > THRESHOLD).any())


def _best_split(values: NDArray[np.float64]) -> int:
    before = np.arange(1, len(values))
    after = len(values) - before
    sums = np.cumsum(values)
    apart = np.abs(sums[:-1] / before - (sums[-1] - sums[:-1]) / after)
    return int(before[np.argmax(apart * np.sqrt(before * after / len(values)))])
