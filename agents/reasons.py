"""Why a charge scored as it did: what raised its log-odds most, in a merchant's words."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import orjson

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


class Reasons:
    """Picks the reasons for batches of scored charges, and puts them into words.

    Parameters
    ----------
    features
        The columns of the vectors, in order; `text` is a template of `value`.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        self._words = [_template(feature).format for feature in features]
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

    def encode(
        self,
        vectors: NDArray[np.float32],
        columns: NDArray[np.uint8],
        counts: NDArray[np.uint8],
    ) -> list[bytes]:
        """Encode what `pick` returned: a scored event's `reasons`, N arrays in JSON."""
        rows = np.repeat(np.arange(len(vectors)), counts)
        chosen = columns[np.arange(REASONS_MAX) < counts[:, None]]
        words = self._words
        reasons = [
            words[column](value=value)
            for column, value in zip(chosen.tolist(), vectors[rows, chosen].tolist(), strict=True)
        ]
        ends = np.cumsum(counts, dtype=np.int64).tolist()
        return [f"[{','.join(reasons[start:end])}]".encode() for start, end in pairwise([0, *ends])]


def _template(feature: Feature) -> str:
    """Return the template of a reason in JSON: one formatting is all that a charge costs."""
    name, text = orjson.dumps(feature.name).decode(), orjson.dumps(feature.text).decode()
    return f'{{{{"feature":{name},"value":{{value:.6g}},"text":{text}}}}}'


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
