"""Boosted trees as arrays: what a snapshot holds of them, and what they say of rows.

The sum of the leaves that a row comes to is its log-odds. A branch sends a row left whose value is
at most its threshold. Rows are those that all kinds of models read (`agents.models.transforms`), so
there is no missing value and no category in them: a number that is missing is in the middle of its
scale, with a flag beside it, and a category, the missing one with code 0 too, is its label history.

A branch's value is the mean of the leaves below it, each as often as training examples came to it.
What a column contributes is what the value changes by where a way branches at it (Saabas 2014,
"Interpreting random forests"): 9 microseconds a charge with 200 trees of 15 leaves, where Shapley
values (Lundberg et al. 2020, "From local explanations to global understanding with explainable AI
for trees") take LightGBM 520, and every charge is asked for its reasons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from agents.models.forest.kernels import leaf_sums, path_sums
from agents.models.forest.pruning import LEAF, places, without_gone
from agents.models.packed import packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agents.models.columns import Columns

_TYPES = {
    "sizes": "<i4", "columns": "<i4", "thresholds": "<f8", "right": "<i4", "values": "<f8",
    "examples": "<i4",
}  # fmt: skip


class Trees(NamedTuple):
    """T trees of N nodes together, one tree after the other and each in preorder.

    Attributes
    ----------
    sizes
        Nodes of each tree, shape (T,).
    columns
        Column that a branch looks at, `LEAF` in leaves, shape (N,).
    thresholds
        A row goes left, to the next node, if its value is at most this, shape (N,).
    right
        Number of the right child in its tree, shape (N,).
    values
        Log-odds, in branches the mean of what is below, shape (N,).
    examples
        How many examples of its training came to a node, shape (N,).
    """

    sizes: NDArray[np.int32]
    columns: NDArray[np.int32]
    thresholds: NDArray[np.float64]
    right: NDArray[np.int32]
    values: NDArray[np.float64]
    examples: NDArray[np.int32]

    @property
    def roots(self) -> NDArray[np.int64]:
        """Number of each tree's first node, shape (T,)."""
        return np.cumsum([0, *self.sizes], dtype=np.int64)[:-1]

    def state(self) -> dict[str, Any]:
        """Return all of it as plain JSON."""
        return {name: packed(array, _TYPES[name]) for name, array in self._asdict().items()}

    def at(self, place: NDArray[np.int32]) -> Trees:
        """Return them over other columns: each column is at its place there, `LEAF` stays."""
        return self._replace(columns=place[self.columns])


NO_TREES = Trees(*(np.empty(0, np.dtype(_TYPES[name]).newbyteorder("=")) for name in Trees._fields))
"""Before the first training."""


class TreeScores:
    """Trees as they score whole batches."""

    def __init__(self, trees: Trees) -> None:
        self._roots = trees.roots
        self._right = trees.right.astype(np.int64) + np.repeat(self._roots, trees.sizes)
        # Copies, as a kernel is compiled anew for arrays that cannot be written to.
        self._columns, self._thresholds = trees.columns.copy(), trees.thresholds.copy()
        self._values = trees.values.copy()

    def log_odds(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log-odds of transformed vectors, shape (N,); 0 without trees."""
        log_odds: NDArray[np.float64] = leaf_sums(
            rows, self._roots, self._columns, self._thresholds, self._right, self._values
        )
        return log_odds

    def contributions(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what each column adds to the roots' values, shape (N, columns)."""
        added: NDArray[np.float64] = path_sums(
            rows, self._roots, self._columns, self._thresholds, self._right, self._values
        )
        return added


def from_state(state: dict[str, Any], columns: Columns) -> Trees:
    """Return the trees whose `state` this is, as those of a model.

    A branch that looks at a column that is gone makes way for the child that more examples came to.

    Parameters
    ----------
    state
        Over the known columns.
    columns
        Of the model, and the known ones.

    Raises
    ------
    ValueError
        When these are no trees, or trees over more columns.
    """
    trees = Trees(**{name: unpacked(state[name], kind) for name, kind in _TYPES.items()})
    _check(trees, len(columns.kept) + len(columns.gone))
    if columns.is_unchanged:
        return trees
    moved = trees.at(places(columns))
    return moved if not len(columns.gone) else _joined([_pruned(tree) for tree in _each(moved)])


def _check(trees: Trees, known: int) -> None:
    """Make sure that every way ends in a leaf of its tree, at a number."""
    nodes = len(trees.columns)
    if trees.sizes.sum() != nodes or (trees.sizes < 1).any():
        raise ValueError("sizes are not those of the trees")
    if any(array.shape != (nodes,) for array in trees[1:]):
        raise ValueError("the nodes of the trees differ in number")
    number = np.arange(nodes) - np.repeat(trees.roots, trees.sizes)
    is_branch = trees.columns != LEAF
    column, right = trees.columns[is_branch], trees.right[is_branch]
    is_below = (right > number[is_branch] + 1) & (
        right < np.repeat(trees.sizes, trees.sizes)[is_branch]
    )
    if not (is_below & (column >= 0) & (column < known)).all():
        raise ValueError(f"no trees over {known} columns")
    if not (np.isfinite(trees.thresholds).all() and np.isfinite(trees.values).all()):
        raise ValueError("a number is not finite")


def _each(trees: Trees) -> list[Trees]:
    """Return the trees one by one."""
    cuts = trees.roots[1:]
    nodes = zip(*(np.split(array, cuts) for array in trees[1:]), strict=True)
    return [Trees(trees.sizes[i : i + 1], *arrays) for i, arrays in enumerate(nodes)]


def _joined(trees: Sequence[Trees]) -> Trees:
    return Trees(*(np.concatenate(arrays) for arrays in zip(*trees, strict=True)))


def _pruned(tree: Trees) -> Trees:
    numbers, right = without_gone(tree.columns, tree.right, tree.examples.astype(np.float64))
    return Trees(
        sizes=np.array([len(numbers)], np.int32),
        columns=tree.columns[numbers],
        thresholds=tree.thresholds[numbers],
        right=right,
        values=tree.values[numbers],
        examples=tree.examples[numbers],
    )
