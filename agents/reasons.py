"""Why a charge scored as it did: what raised its log-odds most, in a merchant's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import numpy as np

from streams.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streams.feature import Feature

REASONS_MAX = 5

LEAST_LOG_ODDS = 0.2
"""A feature that raises the odds of fraud by less than a fifth or so is no reason."""

FLAG = "flag"
"""Unit of features that are 1 or 0. A text says what is so, hence a 0 has none."""


class Reason(TypedDict):
    """One entry of a scored event's `reasons`."""

    feature: str
    value: float
    text: str


class Reasons:
    """Picks and words the reasons for batches of scored charges.

    Parameters
    ----------
    features
        The columns of the vectors, in order; `text` is a template of `value`.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        self._words = [(feature.name, feature.text.format) for feature in features]
        self._flags = np.array([feature.unit == FLAG for feature in features])

    def pick(
        self, vectors: NDArray[np.float32], contributions: NDArray[np.float64]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the columns that are reasons, strongest first, and how many of them there are.

        Parameters
        ----------
        vectors
            Feature vectors in natural units, shape (N, features).
        contributions
            Log-odds that each feature added, of the same shape.

        Returns
        -------
        u1[N, REASONS_MAX], u1[N]
        """
        columns, counts = _strongest(vectors, contributions, self._flags)
        return columns.astype(np.uint8), counts.astype(np.uint8)

    def worded(
        self,
        vectors: NDArray[np.float32],
        columns: NDArray[np.uint8],
        counts: NDArray[np.uint8],
    ) -> list[list[Reason]]:
        """Put what `pick` returned into words, row by row."""
        reasons: list[list[Reason]] = [[] for _ in range(len(vectors))]
        words = self._words
        for row in np.flatnonzero(counts).tolist():
            chosen = columns[row, : counts[row]]
            for column, value in zip(chosen.tolist(), vectors[row, chosen].tolist(), strict=True):
                name, text = words[column]
                reasons[row].append(
                    {"feature": name, "value": float(f"{value:.6g}"), "text": text(value=value)}
                )
        return reasons


@compiled
def _strongest(
    vectors: NDArray[np.float32], contributions: NDArray[np.float64], flags: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the columns of the strongest contributions of each row, and how many there are.

    One pass with insertion into a short sorted list; of equal contributions the first column wins.
    """
    rows, width = contributions.shape
    columns = np.zeros((rows, REASONS_MAX), np.int64)
    counts = np.zeros(rows, np.int64)
    for row in range(rows):
        count = 0
        for column in range(width):
            added = contributions[row, column]
            if added < LEAST_LOG_ODDS or (flags[column] and vectors[row, column] == 0.0):
                continue
            if count == REASONS_MAX and added <= contributions[row, columns[row, count - 1]]:
                continue
            place = min(count, REASONS_MAX - 1)
            while place > 0 and contributions[row, columns[row, place - 1]] < added:
                columns[row, place] = columns[row, place - 1]
                place -= 1
            columns[row, place] = column
            count = min(count + 1, REASONS_MAX)
        counts[row] = count
    return columns, counts
