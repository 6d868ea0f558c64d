"""A check that the signals of a producer's own keep coming."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streams.features.spec import Feature

logger = logging.getLogger(__name__)

SILENT_AFTER_S = 3600.0
"""Of event time; a producer that is restarted is back by then."""

EXPECTED_MIN = 50
"""How many charges would have had the signal meanwhile, if it came as often as before."""


class SignalsCheck:
    """Warns once when a signal has stopped coming, and says when it comes again.

    A signal that shifts for good is found by the drift monitor, after days; this one forgets what
    was with the worker.

    Parameters
    ----------
    features
        The columns of the vectors.

    Attributes
    ----------
    names
        Of the signals.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        signals = [feature for feature in features if feature.scope == "signal"]
        self.names = [feature.name for feature in signals]
        self._are_categories = np.array([f.transform == "category" for f in signals], np.bool_)
        self._charges = 0
        self._came = np.zeros(len(signals), np.int64)
        self._missing_since = np.zeros(len(signals), np.int64)
        self._last_at = np.zeros(len(signals))
        self._silent = np.zeros(len(signals), np.bool_)

    def add(self, created: NDArray[np.float64], vectors: NDArray[np.float32]) -> NDArray[np.int64]:
        """Look at the times and vectors of N charges; return how many lack each signal."""
        if not self.names or not len(created):
            return np.zeros(len(self.names), np.int64)
        columns = vectors[:, -len(self.names) :]
        lacks = np.where(self._are_categories, columns == 0.0, np.isnan(columns))
        missing: NDArray[np.int64] = np.count_nonzero(lacks, axis=0)
        comes = missing < len(columns)
        at_the_end = np.argmin(lacks[::-1], axis=0)
        self._charges += len(columns)
        self._came += len(columns) - missing
        self._missing_since = np.where(comes, at_the_end, self._missing_since + missing)
        self._last_at = np.where(comes, created[len(columns) - 1 - at_the_end], self._last_at)
        for place in np.flatnonzero(self._silent & comes).tolist():
            logger.warning("signal %s comes again", self.names[place])
        self._silent &= ~comes
        share = self._came / np.maximum(self._charges - self._missing_since, 1)
        is_late = (self._missing_since * share >= EXPECTED_MIN) & ~self._silent
        is_late &= created.max() - self._last_at >= SILENT_AFTER_S
        for place in np.flatnonzero(is_late).tolist():
            logger.warning(
                "signal %s has stopped coming: none of the last %d charges has it, since %s; "
                "before, %.0f%% had it. It counts as missing: look at who publishes the charges",
                self.names[place],
                self._missing_since[place],
                datetime.fromtimestamp(self._last_at[place], UTC).isoformat(timespec="minutes"),
                100.0 * share[place],
            )
        self._silent |= is_late
        return missing
