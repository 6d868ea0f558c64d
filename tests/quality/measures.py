"""How good scores are over a period, in the words of the evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agents.evaluation.metrics import (
    auc_roc,
    average_precision,
    brier,
    calibration,
    calibration_error,
    card_precision,
)
from agents.models.kernels import sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.quality.recording import Recording

DAY_S = 86_400.0


class Period(NamedTuple):
    """Charges created from `start` up to, and without, `end`; Unix seconds."""

    name: str
    start: float
    end: float

    def rows(self, recording: Recording) -> NDArray[np.bool_]:
        """Tell which charges are in it, shape (N,)."""
        return (recording.created >= self.start) & (recording.created < self.end)


@dataclass(frozen=True, slots=True)
class Quality:
    """Measures of scores; see `agents.evaluation.metrics`.

    Attributes
    ----------
    top_decile
        Fraud as predicted over fraud as observed, in the tenth of the charges that scores highest.
    """

    average_precision: float
    auc_roc: float
    card_precision_at_100: float
    brier: float
    calibration_error: float
    top_decile: float


def quality(log_odds: NDArray[np.float64], recording: Recording, period: Period) -> Quality:
    """Measure log-odds of all charges in a period, which must have fraud."""
    rows = period.rows(recording)
    fraud = recording.fraud[rows]
    score: NDArray[np.float64] = sigmoid(log_odds[rows])
    deciles = calibration(score, fraud)
    top = deciles[-1]
    day = (recording.created[rows] // DAY_S).astype(np.int64)
    return Quality(
        known(average_precision(score, fraud)),
        known(auc_roc(score, fraud)),
        known(card_precision(score, fraud, recording.card[rows], day)),
        known(brier(score, fraud)),
        known(calibration_error(deciles)),
        top.predicted / top.observed if top.frauds else inf,
    )


def precision(
    log_odds: NDArray[np.float64], recording: Recording, rows: NDArray[np.bool_]
) -> float:
    """Return the average precision of some of the charges, which must have fraud."""
    return known(average_precision(log_odds[rows], recording.fraud[rows]))


def known(measure: float | None) -> float:
    """Return a measure that can be said."""
    assert measure is not None, "there is no fraud in the period"
    return measure
