"""Categories as numbers: what a model has learned of the labels of each, as log-odds.

A category has no order, so a model reads in its place how frequent fraud was among the examples of
that category, smoothed and against all examples: 0 for one that was never seen, 0.7 for one with
twice the odds. It is the number before the example itself is learned, so no example sees its own
label. A missing category is one like the others.

Counts are kept by a hash of the code in so many cells, and fade, so memory and snapshots are
bounded whatever the number of categories. Categories of one cell are one to the model: of many rare
ones a cell tells the mean, and a frequent one prevails over the rare ones of its cell.

References
----------
Micci-Barreca 2001, "A preprocessing scheme for high-cardinality categorical attributes in
classification and prediction problems"; cells by hash after Weinberger et al. 2009, "Feature
hashing for large scale multitask learning".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.models.packed import packed, unpacked
from streams.compiled import compiled
from streams.events.rows import CATEGORY_CODES

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELLS = 2048
"""Of each column, a power of two; measured: a quarter of it loses 0.02 of the average precision
where a million values matter."""

MEMORY_EXAMPLES = 20_000.0
"""Examples after which a count has faded to 1/e: those of some 500 frauds."""

PRIOR_EXAMPLES = 20.0
"""Examples of the overall rate that speak for each category before its own."""

STEPS = 256.0
"""Log-odds are whole multiples of 1 / this, so that they are 0 where all examples have one
category, without an error of rounding that a model would scale up."""

_FIRST_TOTALS = (0.0, 0.0, 1.0)
"""Of a column: frauds, controls, and what an example counts by now."""

_UNIT_MAX = 2.0**20
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # of Fibonacci hashing: 2^64 over the golden ratio
_SHIFT = np.uint64(64 - CELLS.bit_length() + 1)


@compiled
def cell_of(code: float) -> int:
    """Return the cell of a category's code; that of a missing one if it is no code."""
    known = code if 0.0 <= code < CATEGORY_CODES else 0.0
    return int((np.uint64(known) * _MULTIPLIER) >> _SHIFT)


@compiled
def _log_odds(fraud: float, control: float, frauds: float, controls: float, unit: float) -> float:
    if frauds == 0.0 or controls == 0.0:
        return 0.0
    share = frauds / (frauds + controls)
    prior = PRIOR_EXAMPLES * unit
    odds = (fraud + prior * share) / (control + prior * (1.0 - share))
    return math.floor(STEPS * math.log(odds * controls / frauds) + 0.5) / STEPS


@compiled
def _learn(
    rows: NDArray[np.float64],
    columns: NDArray[np.int64],
    frauds: NDArray[np.bool_],
    weights: NDArray[np.float64],
    counts: NDArray[np.float32],
    totals: NDArray[np.float64],
) -> None:
    """Put numbers in place of the codes, of each row before it counts itself."""
    for i in range(len(rows)):
        label = 0 if frauds[i] else 1
        for k in range(len(columns)):
            cell = cell_of(rows[i, columns[k]])
            of_cell, of_column = counts[k, cell], totals[k]
            rows[i, columns[k]] = _log_odds(
                of_cell[0], of_cell[1], of_column[0], of_column[1], of_column[2]
            )
            if weights[i] > 0.0:
                # Later examples count more, instead of all earlier ones less.
                of_column[2] *= 1.0 + 1.0 / MEMORY_EXAMPLES
                of_cell[label] += np.float32(weights[i] * of_column[2])
                of_column[label] += weights[i] * of_column[2]
                if of_column[2] > _UNIT_MAX:
                    of_column /= _UNIT_MAX
                    counts[k] /= np.float32(_UNIT_MAX)


@compiled
def _numbers(counts: NDArray[np.float32], totals: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.empty(counts.shape[:2])
    for k in range(len(counts)):
        of_column = totals[k]
        for cell in range(CELLS):
            of_cell = counts[k, cell]
            out[k, cell] = _log_odds(
                of_cell[0], of_cell[1], of_column[0], of_column[1], of_column[2]
            )
    return out


@compiled
def _look_up(
    rows: NDArray[np.float64], columns: NDArray[np.int64], numbers: NDArray[np.float64]
) -> None:
    for i in range(len(rows)):
        for k in range(len(columns)):
            rows[i, columns[k]] = numbers[k, cell_of(rows[i, columns[k]])]


class CategoryHistory:
    """Faded counts of the frauds and controls of each category.

    Parameters
    ----------
    columns
        Places of the categories among the columns of a model, i8[K].
    """

    def __init__(self, columns: NDArray[np.int64]) -> None:
        self._columns = columns
        self._counts = np.zeros((len(columns), CELLS, 2), np.float32)
        self._totals = np.tile(_FIRST_TOTALS, (len(columns), 1))
        self._numbers: NDArray[np.float64] | None = None

    def learn(
        self, rows: NDArray[np.float64], frauds: NDArray[np.bool_], weights: NDArray[np.float64]
    ) -> None:
        """Put numbers in place of the codes in f8[N, columns], and count the labels.

        An example's number is of those before it; those of weight 0 do not count.
        """
        _learn(rows, self._columns, frauds, weights, self._counts, self._totals)
        self._numbers = None

    def replace(self, rows: NDArray[np.float64]) -> None:
        """Put numbers in place of the codes in f8[N, columns]."""
        if self._numbers is None:
            self._numbers = _numbers(self._counts, self._totals)
        _look_up(rows, self._columns, self._numbers)

    def state(self) -> dict[str, Any]:
        """Return all of it as plain numbers and text."""
        return {"counts": packed(self._counts, "<f4"), "totals": self._totals.tolist()}

    def restore(self, state: dict[str, Any], kept: NDArray[np.int64]) -> None:
        """Take over what another has counted.

        Parameters
        ----------
        state
            Of the other.
        kept
            Places among its columns of the first ones here; those that follow are new.

        Raises
        ------
        ValueError, LookupError
            When it is no state, or of other columns.
        """
        counts = unpacked(state["counts"], "<f4")
        totals = np.array(state["totals"], np.float64).reshape(-1, len(_FIRST_TOTALS))
        if counts.shape[1:] != self._counts.shape[1:] or len(totals) != len(counts):
            raise ValueError(f"no counts of categories: {counts.shape} and {totals.shape}")
        if not all(np.isfinite(of).all() and (of >= 0.0).all() for of in (counts, totals)):
            raise ValueError("a count is no count")
        self._counts[: len(kept)], self._totals[: len(kept)] = counts[kept], totals[kept]
        self._numbers = None
