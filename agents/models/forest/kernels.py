"""What a forest says of rows, tree by tree: compiled, as a batch meets thousands of nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def mean_shares(
    rows: NDArray[np.float64],
    roots: NDArray[np.int64],
    columns: NDArray[np.int32],
    thresholds: NDArray[np.float64],
    right: NDArray[np.int64],
    shares: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the mean, over the trees, of the share of fraud in the leaf that a row comes to.

    Parameters
    ----------
    rows
        Shape (N, features).
    roots
        The number of each tree's first node, shape (T,).
    columns, thresholds, right, shares
        Of all nodes, see `agents.models.forest.state.TreeArrays`; a left child is the next node.
    """
    out = np.zeros(len(rows))
    for i in range(len(rows)):
        for root in roots:
            node = root
            while columns[node] >= 0:
                is_left = rows[i, columns[node]] <= thresholds[node]
                node = node + 1 if is_left else right[node]
            out[i] += shares[node]
        out[i] /= max(len(roots), 1)
    return out


@compiled
def share_contributions(
    rows: NDArray[np.float64],
    roots: NDArray[np.int64],
    columns: NDArray[np.int32],
    thresholds: NDArray[np.float64],
    right: NDArray[np.int64],
    shares: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return what each column adds to the share of fraud on the way from root to leaf.

    Returns
    -------
    Shape (N, features), means over the trees. A row adds up to its `mean_shares` less those of the
    roots.
    """
    out = np.zeros(rows.shape)
    for i in range(len(rows)):
        for root in roots:
            node = root
            while columns[node] >= 0:
                column, before = columns[node], shares[node]
                node = node + 1 if rows[i, column] <= thresholds[node] else right[node]
                out[i, column] += (shares[node] - before) / len(roots)
    return out
