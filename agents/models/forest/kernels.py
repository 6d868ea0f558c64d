"""What trees say of rows, one after the other: compiled, as a batch meets thousands of nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def leaf_sums(
    rows: NDArray[np.float64],
    roots: NDArray[np.int64],
    columns: NDArray[np.int32],
    thresholds: NDArray[np.float64],
    right: NDArray[np.int64],
    values: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the sum, over the trees, of the value of the leaf that a row comes to.

    Parameters
    ----------
    rows
        Shape (N, features).
    roots
        The number of each tree's first node, shape (T,).
    columns
        That a branch looks at; negative in leaves, shape (nodes,).
    thresholds
        A row goes left if its value is at most this, shape (nodes,).
    right
        Number of a branch's right child, shape (nodes,); the left one is the next node.
    values
        Of all nodes, shape (nodes,).
    """
    out = np.zeros(len(rows))
    for i in range(len(rows)):
        for root in roots:
            node = root
            while columns[node] >= 0:
                is_left = rows[i, columns[node]] <= thresholds[node]
                node = node + 1 if is_left else right[node]
            out[i] += values[node]
    return out


@compiled
def path_sums(
    rows: NDArray[np.float64],
    roots: NDArray[np.int64],
    columns: NDArray[np.int32],
    thresholds: NDArray[np.float64],
    right: NDArray[np.int64],
    values: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return what each column adds to the value on the ways from the roots to the leaves.

    Parameters
    ----------
    rows, roots, columns, thresholds, right, values
        As of `leaf_sums`.

    Returns
    -------
    Shape (N, features), sums over the trees. A row adds up to its `leaf_sums` less the values of
    the roots.
    """
    out = np.zeros(rows.shape)
    for i in range(len(rows)):
        for root in roots:
            node = root
            while columns[node] >= 0:
                column, before = columns[node], values[node]
                node = node + 1 if rows[i, column] <= thresholds[node] else right[node]
                out[i, column] += values[node] - before
    return out
