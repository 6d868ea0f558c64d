"""The arithmetic of the models, row by row in one pass.

Sums run from the first feature to the last, so a row's score does not depend on its batch. Those of
the linear model are in river's own order.
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
    if code != SIGNED_LOG or value == 0.0:
        return value
    return math.copysign(math.log1p(abs(value)), value)


@compiled
def _scaled(value: float, mean: float, deviation: float) -> float:
    if deviation == 0.0:
        return 0.0
    return max(-LIMIT, min(LIMIT, (value - mean) / deviation))


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
    rows: NDArray[np.float64],
    means: NDArray[np.float64],
    deviations: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return weight times standardised value; nothing where the deviation is zero."""
    out = np.empty(rows.shape)
    for i in range(len(rows)):
        for j in range(rows.shape[1]):
            out[i, j] = _scaled(rows[i, j], means[j], deviations[j]) * weights[j]
    return out


@compiled
def sums(
    rows: NDArray[np.float64],
    means: NDArray[np.float64],
    deviations: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the sum of `contributions` of each row."""
    out = np.empty(len(rows))
    for i in range(len(rows)):
        total = 0.0
        for j in range(rows.shape[1]):
            total += _scaled(rows[i, j], means[j], deviations[j]) * weights[j]
        out[i] = total
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


@compiled
def second_level_learn(
    first: NDArray[np.float64],
    other: NDArray[np.float64],
    labels: NDArray[np.bool_],
    weights: NDArray[np.float64],
    rate: float,
    second: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Learn a logistic regression on two log-odds by plain gradient descent, example by example.

    Parameters
    ----------
    first, other
        Log-odds of N examples, shape (N,).
    labels, weights
        As of `agents.models.protocols.Learner`, shape (N,).
    rate
        Of learning.
    second
        Its two weights and its intercept, which are changed, shape (3,).

    Returns
    -------
    The log-odds that it gave each example before it was learned, shape (N,).
    """
    out = np.empty(len(first))
    for i in range(len(first)):
        out[i] = second[2] + second[0] * first[i] + second[1] * other[i]
        missed = weights[i] * (1.0 / (1.0 + math.exp(-out[i])) - (1.0 if labels[i] else 0.0))
        second[0] -= rate * missed * first[i]
        second[1] -= rate * missed * other[i]
        second[2] -= rate * missed
    return out
