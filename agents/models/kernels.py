"""The arithmetic of the models, row by row in one pass.

Sums run from the first feature to the last, so a row's score does not depend on its batch. Those of
the linear model are in river's own order; the additive ones agree with river but for rounding.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from streams.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

NONE, SIGNED_LOG = 0, 1

LIMIT = 20.0
"""Standard deviations beyond which a value counts no more.

The first time in n charges that a rare flag is set, it stands about sqrt(n) deviations off, and one
step of the learner would move its log-odds by the learning rate times n.
"""


@compiled
def _transformed(value: float, code: int) -> float:
    if code == NONE or value == 0.0:
        return value
    return math.copysign(math.log1p(abs(value)), value)


@compiled
def _scaled(value: float, code: int, mean: float, deviation: float) -> float:
    if deviation == 0.0:
        return 0.0
    return max(-LIMIT, min(LIMIT, (_transformed(value, code) - mean) / deviation))


@compiled
def transform(vectors: NDArray[np.float32], codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the columns on the scale that the models learn on."""
    rows, columns = vectors.shape
    out = np.empty((rows, columns))
    for i in range(rows):
        for j in range(columns):
            out[i, j] = _transformed(np.float64(vectors[i, j]), codes[j])
    return out


@compiled
def contributions(
    vectors: NDArray[np.float32],
    codes: NDArray[np.uint8],
    means: NDArray[np.float64],
    deviations: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return weight times standardised value; nothing where the deviation is zero."""
    rows, columns = vectors.shape
    out = np.empty((rows, columns))
    for i in range(rows):
        for j in range(columns):
            value = np.float64(vectors[i, j])
            out[i, j] = _scaled(value, codes[j], means[j], deviations[j]) * weights[j]
    return out


@compiled
def sums(
    vectors: NDArray[np.float32],
    codes: NDArray[np.uint8],
    means: NDArray[np.float64],
    deviations: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the sum of `contributions` of each row."""
    rows, columns = vectors.shape
    out = np.empty(rows)
    for i in range(rows):
        total = 0.0
        for j in range(columns):
            value = np.float64(vectors[i, j])
            total += _scaled(value, codes[j], means[j], deviations[j]) * weights[j]
        out[i] = total
    return out


FINE_CELLS, FIRST_FINE_CELL = 256, -64
COARSE_CELLS, FIRST_COARSE_CELL = 32, -8
CELLS = FINE_CELLS + COARSE_CELLS
"""Cells of a feature: fine ones of one width from -64 widths on, then coarse ones of ten widths."""

COARSE_WIDTHS = 10.0


@compiled
def _fine_cell(value: float, width: float) -> int:
    cell = math.floor(value / width) - FIRST_FINE_CELL
    return int(max(0.0, min(FINE_CELLS - 1.0, cell)))


@compiled
def _coarse_cell(value: float, width: float) -> int:
    cell = math.floor(value / (COARSE_WIDTHS * width)) - FIRST_COARSE_CELL
    return FINE_CELLS + int(max(0.0, min(COARSE_CELLS - 1.0, cell)))


@compiled
def _standardised(value: float, mean: float, variance: float) -> float:
    if variance <= 0.0:
        return 0.0
    return max(-LIMIT, min(LIMIT, (value - mean) / math.sqrt(variance)))


@compiled
def _cell_sum(value: float, width: float, cells: NDArray[np.float64]) -> float:
    if width == 0.0:
        return 0.0
    fine: float = cells[_fine_cell(value, width)]
    coarse: float = cells[_coarse_cell(value, width)]
    return fine + coarse


@compiled
def _additive(
    row: NDArray[np.float64],
    means: NDArray[np.float64],
    variances: NDArray[np.float64],
    slopes: NDArray[np.float64],
    widths: NDArray[np.float64],
    cells: NDArray[np.float64],
) -> float:
    total = 0.0
    for j in range(len(row)):
        total += slopes[j] * _standardised(row[j], means[j], variances[j])
        total += _cell_sum(row[j], widths[j], cells[j])
    return total


@compiled
def additive_sums(
    rows: NDArray[np.float64],
    means: NDArray[np.float64],
    variances: NDArray[np.float64],
    slopes: NDArray[np.float64],
    widths: NDArray[np.float64],
    cells: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the sum over the features of slope times standardised value, and of their cells.

    Parameters
    ----------
    rows
        Transformed vectors, shape (N, features).
    means, variances, slopes, widths
        Of each feature; without cells where the width is 0.
    cells
        Weights, shape (features, `CELLS`).
    """
    out = np.empty(len(rows))
    for i in range(len(rows)):
        out[i] = _additive(rows[i], means, variances, slopes, widths, cells)
    return out


@compiled
def additive_contributions(
    rows: NDArray[np.float64],
    means: NDArray[np.float64],
    variances: NDArray[np.float64],
    slopes: NDArray[np.float64],
    widths: NDArray[np.float64],
    cells: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return what each feature adds to `additive_sums` against its mean."""
    columns = rows.shape[1]
    usual = np.empty(columns)
    for j in range(columns):
        usual[j] = _cell_sum(means[j], widths[j], cells[j])
    out = np.empty(rows.shape)
    for i in range(len(rows)):
        for j in range(columns):
            added = _cell_sum(rows[i, j], widths[j], cells[j]) - usual[j]
            out[i, j] = added + slopes[j] * _standardised(rows[i, j], means[j], variances[j])
    return out


@compiled
def additive_learn(
    rows: NDArray[np.float64],
    frauds: NDArray[np.bool_],
    weights: NDArray[np.float64],
    rates: tuple[float, float, float],
    totals: NDArray[np.float64],
    means: NDArray[np.float64],
    variances: NDArray[np.float64],
    slopes: NDArray[np.float64],
    averages: NDArray[np.float64],
    began: NDArray[np.float64],
    widths: NDArray[np.float64],
    cells: NDArray[np.float64],
    squares: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Learn one row after another in place; rows of weight 0 are only scored.

    Parameters
    ----------
    rows, means, variances, slopes, widths, cells
        As of `additive_sums`.
    frauds, weights
        Of each row.
    rates
        Step of the slopes; step of cells and intercept, before it is divided by the root of the
        squared gradients; and the least share of the newest slopes in their average.
    totals
        Intercept, its squared gradients, and how many rows were learned.
    averages
        Averages of the slopes.
    began
        How many rows had been learned when each feature came.
    squares
        Squared gradients of the cells.

    Returns
    -------
    The log-odds of each row before it was learned, by the averaged slopes.
    """
    slope_rate, cell_rate, average_share = rates
    out = np.empty(len(rows))
    columns = rows.shape[1]
    scaled = np.empty(columns)
    for i in range(len(rows)):
        out[i] = totals[0] + _additive(rows[i], means, variances, averages, widths, cells)
        if weights[i] == 0.0:
            continue
        totals[2] += 1.0
        log_odds = totals[0]
        for j in range(columns):
            count = totals[2] - began[j]
            from_old = rows[i, j] - means[j]
            means[j] += from_old / count
            variances[j] += (from_old * (rows[i, j] - means[j]) - variances[j]) / count
            scaled[j] = _standardised(rows[i, j], means[j], variances[j])
            log_odds += slopes[j] * scaled[j] + _cell_sum(rows[i, j], widths[j], cells[j])
        gradient = (1.0 / (1.0 + math.exp(-log_odds)) - frauds[i]) * weights[i]
        square = gradient * gradient
        totals[1] += square
        totals[0] -= cell_rate / totals[1] ** 0.5 * gradient
        for j in range(columns):
            share = max(average_share, 1.0 / (1.0 + 0.1 * (totals[2] - began[j])))
            slopes[j] -= slope_rate * gradient * scaled[j]
            averages[j] += share * (slopes[j] - averages[j])
            if widths[j] > 0.0:
                for cell in (
                    _fine_cell(rows[i, j], widths[j]),
                    _coarse_cell(rows[i, j], widths[j]),
                ):
                    squares[j, cell] += square
                    cells[j, cell] -= cell_rate / squares[j, cell] ** 0.5 * gradient
    return out


@compiled
def interpolate(
    values: NDArray[np.float64], first: float, step: float, heights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the curve through equidistant knots at `values`; it goes on with slope 1 outside.

    Knot k lies at ``first + k * step`` and has the height ``heights[k]``.
    """
    out = np.empty(len(values))
    last = len(heights) - 1
    for i in range(len(values)):
        place = (values[i] - first) / step
        if place <= 0.0:
            out[i] = heights[0] + place * step
        elif place >= last:
            out[i] = heights[last] + (place - last) * step
        else:
            knot = int(place)
            share = place - knot
            out[i] = heights[knot] * (1.0 - share) + heights[knot + 1] * share
    return out


@compiled
def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities of log-odds; never outside 0 to 1, whatever their size."""
    out = np.empty(len(values))
    for i in range(len(values)):
        if values[i] >= 0.0:
            out[i] = 1.0 / (1.0 + math.exp(-values[i]))
        else:
            power = math.exp(values[i])
            out[i] = power / (1.0 + power)
    return out
