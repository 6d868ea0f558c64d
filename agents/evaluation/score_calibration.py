"""Calibration of scores by bins of their height: what they predicted, and what was observed.

Charges are counted in bins between whole log-odds: fraud is rare, so bins of equal width would have
nearly all charges in the lowest, and bins of equal numbers none of those that are acted upon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from agents.evaluation.metrics import CalibrationBin
from streams.durations import DAY_S
from streams.wire.matured import FRAUD, UNSEEN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.models.prequential import ScoreCounts
    from streams.events.rows import Rows

EDGES: Final = 1.0 / (1.0 + np.exp(-np.arange(-7.0, 3.0)))
"""Scores between the bins, from 0.09% to 88%."""

_BINS: Final = len(EDGES) + 1


class ToldScores:
    """Counts the scores that were told, by what was seen of their charges when they matured.

    A charge that was drawn stands for those that were not, by its inverse propensity; nothing is
    said of what could not be drawn.

    Parameters
    ----------
    days
        How many days are counted, up to the newest that has matured.

    Examples
    --------
    >>> from streams.wire.matured import MATURED_CHARGE
    >>> rows = np.zeros(4, MATURED_CHARGE)
    >>> rows["score"], rows["counts"] = 0.4, 1.0
    >>> rows["propensity"], rows["seen"] = [1.0, 1.0, 0.5, 0.5], [1, 1, 2, 0]
    >>> told = ToldScores(days=30)
    >>> told.add(rows)
    >>> told.bins()
    [CalibrationBin(charges=4.0, frauds=2.0, predicted=0.4, observed=0.5)]
    """

    def __init__(self, days: int) -> None:
        self._days = days
        self._sums: dict[int, NDArray[np.float64]] = {}

    def add(self, charges: Rows) -> None:
        """Take MATURED_CHARGE[N], in any order."""
        seen = charges[(charges["seen"] != UNSEEN) & (charges["propensity"] > 0.0)]
        weight = seen["counts"].astype(np.float64) / seen["propensity"]
        days = seen["created"] // DAY_S
        for day in np.unique(days).tolist():
            of_day = days == day
            is_fraud, score = seen["seen"][of_day] == FRAUD, seen["score"][of_day]
            added = _binned(score, weight[of_day], weight[of_day] * is_fraud)
            self._sums[int(day)] = self._sums.get(int(day), 0.0) + added

    def bins(self) -> list[CalibrationBin]:
        """Return the bins in which there are charges, from the lowest score."""
        last = max(self._sums, default=0)
        self._sums = {day: each for day, each in self._sums.items() if day > last - self._days}
        return _bins_of(sum(self._sums.values(), np.zeros((_BINS, 3))))


def prequential_bins(counts: ScoreCounts) -> list[CalibrationBin]:
    """Return the bins of the scores that a model gave to examples before it learned them."""
    return _bins_of(_binned(counts.score, counts.charges, counts.frauds))


def _binned(
    score: NDArray[np.float64], charges: NDArray[np.float64], frauds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how many charges, frauds and expected frauds there are, f8[bins, 3]."""
    sums = np.zeros((_BINS, 3))
    place = np.searchsorted(EDGES, score, side="right")
    np.add.at(sums, place, np.stack((charges, frauds, charges * score), axis=1))
    return sums


def _bins_of(sums: NDArray[np.float64]) -> list[CalibrationBin]:
    return [
        CalibrationBin(charges, frauds, expected / charges, frauds / charges)
        for charges, frauds, expected in sums.tolist()
        if charges > 0.0
    ]
