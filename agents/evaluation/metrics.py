"""Quality of scores against labels. What cannot be said (no charges, no frauds) is None."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def auc_roc(score: NDArray[np.float64], fraud: NDArray[np.bool_]) -> float | None:
    """Return the chance that a fraud scores above an honest charge, ties counting half.

    From the rank sum (Mann and Whitney 1947). None unless there are both kinds.

    >>> auc_roc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    0.75
    """
    frauds = int(np.count_nonzero(fraud))
    honest = len(fraud) - frauds
    if frauds == 0 or honest == 0:
        return None
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = np.cumsum(counts) - (counts - 1) / 2.0
    rank_sum = float(rank[place[fraud]].sum())
    return (rank_sum - frauds * (frauds + 1) / 2.0) / (frauds * honest)


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """Precision and recall when all charges that score at least a threshold are flagged.

    One entry for each distinct score, from the highest; `flagged` is the share of all charges.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    flagged: NDArray[np.float64]


def precision_recall(score: NDArray[np.float64], fraud: NDArray[np.bool_]) -> PrecisionRecall:
    """Return the curve; `fraud` must have at least one fraud."""
    assert fraud.any(), "recall of no frauds is undefined"
    order = np.argsort(-score, kind="stable")
    caught = np.cumsum(fraud[order])
    last_of_tie = np.append(np.diff(score[order]) != 0.0, [True])
    flagged = np.flatnonzero(last_of_tie) + 1
    caught = caught[last_of_tie]
    return PrecisionRecall(caught / flagged, caught / caught[-1], flagged / len(fraud))


def average_precision(score: NDArray[np.float64], fraud: NDArray[np.bool_]) -> float | None:
    """Return the mean precision over the steps of recall, without interpolation.

    None unless there is a fraud.

    >>> round(average_precision(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]) == 1), 4)
    0.8333
    """
    if not fraud.any():
        return None
    curve = precision_recall(score, fraud)
    return float(np.sum(np.diff(curve.recall, prepend=0.0) * curve.precision))


def card_precision(
    score: NDArray[np.float64],
    fraud: NDArray[np.bool_],
    card: NDArray[np.int64],
    day: NDArray[np.int64],
    cards_a_day: int = 100,
) -> float | None:
    """Return the share of defrauded cards among those an analyst would look at, averaged over days.

    Each day the `cards_a_day` cards with the highest score of any of their charges are looked at.
    A card found defrauded is left out on the days after. The share is of `cards_a_day`, also on a
    day with fewer cards. None unless there is a fraud.

    Card precision top-k of Le Borgne, Siblini, Lebichot and Bontempi 2022, "Reproducible Machine
    Learning for Credit Card Fraud Detection", chapter 4.4; of equal scores the lower card first.
    """
    if not fraud.any():
        return None
    found = np.empty(0, card.dtype)
    shares = []
    by_day = np.argsort(day, kind="stable")
    for today in np.split(by_day, np.flatnonzero(np.diff(day[by_day])) + 1):
        rows = today[~np.isin(card[today], found)]
        cards, place = np.unique(card[rows], return_inverse=True)
        highest = np.full(len(cards), -np.inf)
        np.maximum.at(highest, place, score[rows])
        defrauded = np.zeros(len(cards), bool)
        np.logical_or.at(defrauded, place, fraud[rows])
        looked_at = np.argsort(-highest, kind="stable")[:cards_a_day]
        hits = cards[looked_at[defrauded[looked_at]]]
        shares.append(len(hits) / cards_a_day)
        found = np.concatenate([found, hits])
    return float(np.mean(shares))


def brier(score: NDArray[np.float64], fraud: NDArray[np.bool_]) -> float | None:
    """Return the mean squared difference of score and outcome (Brier 1950), None of no charges."""
    return float(np.mean((score - fraud) ** 2)) if len(fraud) else None


def recall_at(score: NDArray[np.float64], fraud: NDArray[np.bool_], rate: float) -> float | None:
    """Return the share of frauds among the `rate` of all charges that score highest.

    Where equal scores straddle the limit, as many of them count as fit, at their mean share of
    fraud. None unless there is a fraud.
    """
    if not fraud.any():
        return None
    curve = precision_recall(score, fraud)
    flagged = np.concatenate([[0.0], curve.flagged])
    recall = np.concatenate([[0.0], curve.recall])
    return float(np.interp(rate, flagged, recall))


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Charges of similar score: how many, their mean score, and the share that was fraud.

    Charges that stand for others count as many as those are.
    """

    charges: float
    frauds: float
    predicted: float
    observed: float


def calibration(
    score: NDArray[np.float64], fraud: NDArray[np.bool_], bins: int = 10
) -> list[CalibrationBin]:
    """Return bins of equal numbers of charges, from the lowest score; none without charges."""
    parts = np.array_split(np.argsort(score, kind="stable"), bins)
    return [
        CalibrationBin(
            len(part),
            int(np.count_nonzero(fraud[part])),
            float(score[part].mean()),
            float(fraud[part].mean()),
        )
        for part in parts
        if len(part)
    ]


def calibration_error(bins: Sequence[CalibrationBin]) -> float | None:
    """Return the mean distance of predicted and observed, weighted by charges (ECE).

    Naeini, Cooper and Hauskrecht 2015, "Obtaining well calibrated probabilities using Bayesian
    binning". None without charges.
    """
    charges = sum(part.charges for part in bins)
    if charges == 0:
        return None
    return sum(part.charges * abs(part.predicted - part.observed) for part in bins) / charges
