"""The arithmetic of the additive model, row by row in one pass.

Sums run from the first feature to the last, so a row's score does not depend on its batch. They
agree with river but for rounding.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from agents.models.kernels import LIMIT
from streams.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

FINE_CELLS, FIRST_FINE_CELL = 256, -64
COARSE_CELLS, FIRST_COARSE_CELL = 32, -8
CELLS = FINE_CELLS + COARSE_CELLS
"""Cells of a feature: fine ones of one width from -64 widths on, then coarse ones of ten widths."""

COARSE_WIDTHS = 10.0

WEIGHT, AVERAGE, SQUARES, TIMES = range(4)
"""What is learned of a cell: its weight, the average of that, the sum of its squared gradients, and
how often it was learned."""

AVERAGED_TENTH = 0.1
"""An average begins as that of the last so many of all steps, and ends at the least share."""


@compiled
def _fine_place(value: float, width: float) -> float:
    """Return the place of a value among the middles of the fine cells."""
    return max(0.0, min(FINE_CELLS - 1.0, value / width - FIRST_FINE_CELL - 0.5))


@compiled
def _coarse_place(value: float, width: float) -> float:
    place = value / (COARSE_WIDTHS * width) - FIRST_COARSE_CELL - 0.5
    return max(0.0, min(COARSE_CELLS - 1.0, place))


@compiled
def _standardised(value: float, mean: float, variance: float) -> float:
    if variance <= 0.0:
        return 0.0
    return max(-LIMIT, min(LIMIT, (value - mean) / math.sqrt(variance)))


@compiled
def _between(place: float, cells: int) -> tuple[int, float]:
    """Return the lower one of the two cells that a place is between, and how far it is from it."""
    cell = min(int(place), cells - 2)
    return cell, place - cell


@compiled
def _cell_sum(value: float, width: float, cells: NDArray[np.float64], joined: bool) -> float:
    if width == 0.0:
        return 0.0
    cell, above = _between(_fine_place(value, width), FINE_CELLS)
    if not joined:
        above = 1.0 if above >= 0.5 else 0.0
    fine: float = cells[cell] * (1.0 - above) + cells[cell + 1] * above
    cell, above = _between(_coarse_place(value, width), COARSE_CELLS)
    if not joined:
        above = 1.0 if above >= 0.5 else 0.0
    cell += FINE_CELLS
    coarse: float = cells[cell] * (1.0 - above) + cells[cell + 1] * above
    return fine + coarse


@compiled
def _additive(
    row: NDArray[np.float64],
    means: NDArray[np.float64],
    variances: NDArray[np.float64],
    slopes: NDArray[np.float64],
    widths: NDArray[np.float64],
    cells: NDArray[np.float64],
    joined: bool,
) -> float:
    total = 0.0
    for j in range(len(row)):
        total += slopes[j] * _standardised(row[j], means[j], variances[j])
        total += _cell_sum(row[j], widths[j], cells[j], joined)
    return total


@compiled
def additive_sums(
    rows: NDArray[np.float64],
    means: NDArray[np.float64],
    variances: NDArray[np.float64],
    slopes: NDArray[np.float64],
    widths: NDArray[np.float64],
    cells: NDArray[np.float64],
    joined: bool,
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
    joined
        Whether the weight between the middles of two cells is on the line from one to the other;
        else it is that of the cell.
    """
    out = np.empty(len(rows))
    for i in range(len(rows)):
        out[i] = _additive(rows[i], means, variances, slopes, widths, cells, joined)
    return out


@compiled
def additive_contributions(
    rows: NDArray[np.float64],
    means: NDArray[np.float64],
    variances: NDArray[np.float64],
    slopes: NDArray[np.float64],
    widths: NDArray[np.float64],
    cells: NDArray[np.float64],
    joined: bool,
) -> NDArray[np.float64]:
    """Return what each feature adds to `additive_sums` against its mean."""
    columns = rows.shape[1]
    usual = np.empty(columns)
    for j in range(columns):
        usual[j] = _cell_sum(means[j], widths[j], cells[j], joined)
    out = np.empty(rows.shape)
    for i in range(len(rows)):
        for j in range(columns):
            added = _cell_sum(rows[i, j], widths[j], cells[j], joined) - usual[j]
            out[i, j] = added + slopes[j] * _standardised(rows[i, j], means[j], variances[j])
    return out


@compiled
def _at(cells: NDArray[np.float64], feature: int, low: int, above: float, of: int) -> float:
    one: float = cells[feature, low, of]
    other: float = cells[feature, low + 1, of]
    return one * (1.0 - above) + other * above


@compiled
def _newest_share(times: float, least: float) -> float:
    """Return what the newest of so many weights counts in their average."""
    steps = 1.0 + AVERAGED_TENTH * times
    return least if steps * least >= 1.0 else 1.0 / steps


@compiled
def _learn_cells(
    cells: NDArray[np.float64],
    feature: int,
    low: int,
    above: float,
    gradient: float,
    rates: tuple[float, float, float],
) -> None:
    """Learn the two cells that a value lies between: AdaGrad, and the averages."""
    _, cell_rate, average_share = rates
    for cell, share in ((low, 1.0 - above), (low + 1, above)):
        if share > 0.0:
            own = gradient * share
            times = cells[feature, cell, TIMES] + 1.0
            squares = cells[feature, cell, SQUARES] + own * own
            weight = cells[feature, cell, WEIGHT] - cell_rate / math.sqrt(squares) * own
            average = cells[feature, cell, AVERAGE]
            cells[feature, cell, TIMES] = times
            cells[feature, cell, SQUARES] = squares
            cells[feature, cell, WEIGHT] = weight
            cells[feature, cell, AVERAGE] = average + _newest_share(times, average_share) * (
                weight - average
            )


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
) -> NDArray[np.float64]:
    """Learn one row after another in place; rows of weight 0 are only scored.

    Parameters
    ----------
    rows, means, variances, slopes, widths
        As of `additive_sums`.
    frauds, weights
        Of each row.
    rates
        Step of the slopes; step of cells and intercept, before it is divided by the root of the
        squared gradients; and the least share of the newest weights in their average.
    totals
        Intercept, its squared gradients, and how many rows were learned.
    averages
        Averages of the slopes.
    began
        How many rows had been learned when each feature came.
    cells
        What is learned of each cell, shape (features, `CELLS`, 4).

    Returns
    -------
    The log-odds of each row before it was learned, by the averages.
    """
    slope_rate, cell_rate, average_share = rates
    out = np.empty(len(rows))
    columns = rows.shape[1]
    scaled, lows, aboves = (
        np.empty(columns),
        np.empty((columns, 2), np.int64),
        np.empty((columns, 2)),
    )
    for i in range(len(rows)):
        by_averages = 0.0
        for j in range(columns):
            value = rows[i, j]
            by_averages += averages[j] * _standardised(value, means[j], variances[j])
            if widths[j] > 0.0:
                lows[j, 0], aboves[j, 0] = _between(_fine_place(value, widths[j]), FINE_CELLS)
                low, aboves[j, 1] = _between(_coarse_place(value, widths[j]), COARSE_CELLS)
                lows[j, 1] = FINE_CELLS + low
                fine = _at(cells, j, lows[j, 0], aboves[j, 0], AVERAGE)
                by_averages += fine + _at(cells, j, lows[j, 1], aboves[j, 1], AVERAGE)
        out[i] = totals[0] + by_averages
        if weights[i] == 0.0:
            continue
        totals[2] += 1.0
        log_odds = totals[0]
        for j in range(columns):
            value = rows[i, j]
            count = totals[2] - began[j]
            from_old = value - means[j]
            means[j] += from_old / count
            variances[j] += (from_old * (value - means[j]) - variances[j]) / count
            scaled[j] = _standardised(value, means[j], variances[j])
            log_odds += slopes[j] * scaled[j]
            if widths[j] > 0.0:
                log_odds += _at(cells, j, lows[j, 0], aboves[j, 0], WEIGHT)
                log_odds += _at(cells, j, lows[j, 1], aboves[j, 1], WEIGHT)
        gradient = (1.0 / (1.0 + math.exp(-log_odds)) - frauds[i]) * weights[i]
        totals[1] += gradient * gradient
        totals[0] -= cell_rate / totals[1] ** 0.5 * gradient
        for j in range(columns):
            slopes[j] -= slope_rate * gradient * scaled[j]
            share = _newest_share(totals[2] - began[j], average_share)
            averages[j] += share * (slopes[j] - averages[j])
            if widths[j] > 0.0:
                _learn_cells(cells, j, lows[j, 0], aboves[j, 0], gradient, rates)
                _learn_cells(cells, j, lows[j, 1], aboves[j, 1], gradient, rates)
    return out
