"""The additive model: a slope and a curve for each feature, and a calibration on top.

What a feature adds to the log-odds is a slope, as in the linear model, and a curve of straight
lines from the middle of one cell to that of the next, of fine cells and of coarse ones: fraud may
be frequent at both ends of a range, or from some amount on. Slopes learn by plain gradient descent,
cells by AdaGrad, whose rates fall for each weight with what it has learned: a cell that is rarely
seen learns quickly, and a common one is not shaken by it. Scoring takes the exponential average of
either, which keeps what the weights have in common and loses what the last examples made of them.

It is river's logistic regression on standardised values and on the shares that cells have of a
value, learned one example after another; a test holds it against river. The arithmetic is compiled,
since with some 360 weights an example river takes a hundred times as long, and every fraud comes
with 40 controls.

A category is read as a number (`agents.models.category_history`), which has a slope alone: it is
log-odds already.

Of a feature that is gone what it added at its mean stays in the intercept: its contribution is left
out. One that is new has mean, variance and average of the examples since it came.

References
----------
Hastie and Tibshirani 1986, "Generalized additive models"; cells as a basis of lines after Eilers
and Marx 1996, "Flexible smoothing with B-splines and penalties"; Polyak and Juditsky 1992,
"Acceleration of stochastic approximation by averaging"; Duchi, Hazan and Singer 2011, "Adaptive
subgradient methods for online learning and stochastic optimization"; rates of each weight of sparse
flags after McMahan et al. 2013, "Ad click prediction: a view from the trenches".
"""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from agents.models import additive_kernels as kernels
from agents.models.additive_kernels import AVERAGE, CELLS, SQUARES, TIMES, WEIGHT
from agents.models.base import CalibratedLearner, CalibratedScorer
from streams.features.card_outcomes import OUTCOME_FEATURES as CARD_OUTCOMES
from streams.features.merchant_outcomes import OUTCOME_FEATURES as MERCHANT_OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agents.models.columns import Columns
    from schemas.snapshot import Snapshot
    from streams.features.spec import Feature

KIND = "additive"

SLOPE_RATE = 0.004

CELL_RATE = 0.05
"""Step of cells and intercept, before it is divided by the root of the squared gradients."""

AVERAGE_SHARE = 1e-4
"""What the newest weight counts in its average: it looks back over some 10,000 steps."""

FIRST_SQUARES = 1.0
"""What the sums of squared gradients start from; else the first steps were the largest."""

_FIRST_CELL = np.zeros(4)
_FIRST_CELL[SQUARES] = FIRST_SQUARES

_TIMES_BEFORE = 1000.0
"""How often a cell is taken to be learned, of which an earlier version has kept no average."""

FIRST_INTERCEPT = -math.log(40.0)
"""Log-odds of fraud among frauds and their controls."""

_FLAG, _CATEGORY, _SHARES = "flag", "category", {"share", "1 / labels"}
_WIDTH, _SHARE_WIDTH = 0.1, 0.02

AGES = {"card_age", "merchant_age"}
"""Time itself carries these from cell to cell. Each new one has learned nothing, so today's charges
scored lower than the same ones a week later, when their labels calibrate the scores."""

_OUTCOMES = {feature.name for feature in (*CARD_OUTCOMES, *MERCHANT_OUTCOMES)}
"""Counts of outcomes are 0 for nearly all charges, and for all where there are no outcomes. The
cells of that 0 were further intercepts, which the last examples shook; slopes add nothing there."""


def cell_widths(features: Sequence[Feature]) -> NDArray[np.float64]:
    """Return the width of each feature's fine cells after its transform; 0 for those without."""
    widths = [_SHARE_WIDTH if feature.unit in _SHARES else _WIDTH for feature in features]
    has_none = [
        feature.unit in {_FLAG, _CATEGORY} or feature.name in AGES | _OUTCOMES
        for feature in features
    ]
    return np.where(has_none, 0.0, widths)


class _Averaged(NamedTuple):
    """What `kernels.additive_sums` takes beside the rows."""

    means: NDArray[np.float64]
    variances: NDArray[np.float64]
    slopes: NDArray[np.float64]
    widths: NDArray[np.float64]
    cells: NDArray[np.float64]
    joined: bool


class AdditivePart:
    """What learns in an additive model, and its log-odds before calibration.

    Parameters
    ----------
    widths
        Of each feature's fine cells, see `cell_widths`, shape (features,).
    """

    def __init__(self, widths: NDArray[np.float64]) -> None:
        columns = len(widths)
        self._widths = widths
        self._totals = np.array([FIRST_INTERCEPT, FIRST_SQUARES, 0.0])
        self._means, self._variances = np.zeros(columns), np.zeros(columns)
        self._slopes, self._averages = np.zeros(columns), np.zeros(columns)
        self._began = np.zeros(columns)
        self._cells = np.tile(_FIRST_CELL, (columns, CELLS, 1))
        self._known_averages: NDArray[np.float64] | None = None
        self._are_joined = True

    def learn(
        self,
        rows: NDArray[np.float64],
        labels: NDArray[np.bool_],
        weights: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Learn one example after another, except those of weight 0.

        Parameters
        ----------
        rows
            Transformed vectors, shape (N, features).
        labels, weights
            As of `agents.models.protocols.Learner`, shape (N,).

        Returns
        -------
        The log-odds of each before it was learned, shape (N,).
        """
        log_odds: NDArray[np.float64] = kernels.additive_learn(
            rows,
            labels,
            np.ascontiguousarray(weights),
            (SLOPE_RATE, CELL_RATE, AVERAGE_SHARE),
            self._totals,
            self._means,
            self._variances,
            self._slopes,
            self._averages,
            self._began,
            self._widths,
            self._cells,
        )
        self._known_averages, self._are_joined = None, True
        return log_odds

    def log_odds(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log-odds of transformed vectors, shape (N,)."""
        log_odds: NDArray[np.float64] = self._totals[0] + kernels.additive_sums(
            rows, *self._averaged()
        )
        return log_odds

    def contributions(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log-odds that each feature adds against its mean, shape (N, features)."""
        added: NDArray[np.float64] = kernels.additive_contributions(rows, *self._averaged())
        return added

    def _averaged(self) -> _Averaged:
        """Return what scoring takes."""
        if self._known_averages is None:
            self._known_averages = np.ascontiguousarray(self._cells[:, :, AVERAGE])
        return _Averaged(
            self._means,
            self._variances,
            self._averages,
            self._widths,
            self._known_averages,
            self._are_joined,
        )

    def state(self) -> dict[str, Any]:
        """Return all of it as plain numbers and text."""
        return {
            "widths": self._widths.tolist(),
            "totals": self._totals.tolist(),
            "means": self._means.tolist(),
            "variances": self._variances.tolist(),
            "slopes": self._slopes.tolist(),
            "average_slopes": self._averages.tolist(),
            "began": self._began.tolist(),
            "cells": _encode_cells(self._cells),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], columns: Columns) -> Self:
        """Return the part that goes on from `state`, which is over the known columns.

        Earlier versions did not join cells: the part scores as they did until it learns.
        """
        part = cls(columns.carried(state["widths"], cell_widths(columns.new)))
        cells = _decode_cells(state["cells"], len(state["widths"]))
        means, variances, averages = state["means"], state["variances"], state["average_slopes"]
        intercept, intercept_squares, learned = state["totals"]
        part._are_joined = "averages" in state["cells"]
        gone = _Averaged(
            columns.dropped(means),
            columns.dropped(variances),
            columns.dropped(averages),
            columns.dropped(state["widths"]),
            np.ascontiguousarray(columns.dropped(cells)[:, :, AVERAGE]),
            part._are_joined,
        )
        (at_means,) = kernels.additive_sums(gone.means[None], *gone)
        part._totals = np.array([intercept + at_means, intercept_squares, learned], np.float64)
        part._means, part._variances = columns.carried(means, 0.0), columns.carried(variances, 0.0)
        part._slopes = columns.carried(state["slopes"], 0.0)
        part._averages = columns.carried(averages, 0.0)
        part._began = columns.carried(state.get("began", columns.unknown_before()), learned)
        part._cells = columns.carried(cells, _FIRST_CELL)
        return part


class AdditiveLearner(CalibratedLearner):
    """Learns slopes and cells of transformed features, one example at a time."""

    kind: ClassVar[str] = KIND

    def __init__(self, features: Sequence[Feature], name: str | None = None) -> None:
        super().__init__(features, name)
        self._part = AdditivePart(cell_widths(self._columns.features))

    def learn(
        self,
        vectors: NDArray[np.float32],
        labels: NDArray[np.bool_],
        weights: NDArray[np.float64],
        created: NDArray[np.float64],
        stands_for: NDArray[np.float64],
    ) -> None:
        """Learn one example after another; see `agents.models.protocols.Learner`."""
        log_odds = self._part.learn(self._learned_rows(vectors, labels, weights), labels, weights)
        self._experience.observe(log_odds, labels, weights, created, stands_for)

    def _state(self) -> dict[str, Any]:
        return self._part.state()

    def _restore(self, state: dict[str, Any]) -> None:
        self._part = AdditivePart.from_state(state, self._columns)


class AdditiveScorer(CalibratedScorer):
    """Scores batches from the numbers of a snapshot of an `AdditiveLearner`."""

    kind: ClassVar[str] = KIND

    def __init__(self, snapshot: Snapshot, features: Sequence[Feature]) -> None:
        super().__init__(snapshot, features)
        self._part = AdditivePart.from_state(snapshot.state, self._columns)

    def log_odds(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds before calibration, shape (N,)."""
        return self._part.log_odds(self._transformed(vectors))

    def contributions(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds, before calibration, that each feature adds against its mean.

        Returns
        -------
        Shape (N, features). A row adds up to its `log_odds` less those of the vector of means.
        """
        return self._columns.to_vectors(self._part.contributions(self._transformed(vectors)))


def _encode_cells(cells: NDArray[np.float64]) -> dict[str, Any]:
    """Return the cells that have learned anything: little-endian numbers in base64."""
    rows = cells.reshape(-1, cells.shape[-1])
    places = np.flatnonzero(rows[:, TIMES])
    return {
        "places": _base64(places.astype("<u4")),
        "weights": _base64(rows[places, WEIGHT].astype("<f8")),
        "squares": _base64(rows[places, SQUARES].astype("<f8")),
        "averages": _base64(rows[places, AVERAGE].astype("<f8")),
        "times": _base64(rows[places, TIMES].astype("<f8")),
    }


def _decode_cells(state: dict[str, str], columns: int) -> NDArray[np.float64]:
    """Return what is learned of all cells, shape (columns, `CELLS`, 4)."""
    rows = np.tile(_FIRST_CELL, (columns * CELLS, 1))
    places = np.frombuffer(base64.b64decode(state["places"]), "<u4")
    weights = _numbers(state["weights"])
    rows[places, WEIGHT], rows[places, SQUARES] = weights, _numbers(state["squares"])
    has_averages = "averages" in state
    rows[places, AVERAGE] = _numbers(state["averages"]) if has_averages else weights
    rows[places, TIMES] = _numbers(state["times"]) if has_averages else _TIMES_BEFORE
    return rows.reshape(columns, CELLS, -1)


def _numbers(text: str) -> NDArray[np.float64]:
    return np.frombuffer(base64.b64decode(text), "<f8")


def _base64(numbers: NDArray[Any]) -> str:
    return base64.b64encode(numbers.tobytes()).decode()
