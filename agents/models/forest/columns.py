"""Hoeffding trees over other columns than those they have grown on.

A branch that looks at a column that is gone makes way for the one of its children whose leaves have
learned more. River sends a vector without the feature the same way, so scores are those that it
would give. All other branches, and what each leaf has learned of the classes, stay.

Leaves then begin anew to look for where to split, as one does that has just come out of a split:
each draws from the columns there are now. Else none that is there would ever look at a new one, and
one that has seen less of a column than of the others cannot compare them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents.models.forest.pruning import LEAF, places, without_gone
from agents.models.forest.state import TreeArrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.models.columns import Columns


def over_columns(tree: TreeArrays, columns: Columns) -> TreeArrays:
    """Return a tree over the columns of a model: `tree` itself if none is gone or new.

    Parameters
    ----------
    tree
        Over the known columns.
    columns
        Those of the model, and the known ones.

    Raises
    ------
    ValueError
        When it is no tree, or over more columns.
    """
    known = len(columns.kept) + len(columns.gone)
    _check(tree, known)
    if columns.is_unchanged:
        return tree
    return _begun_anew(_pruned(tree, places(columns)))


def _check(tree: TreeArrays, known: int) -> None:
    nodes = len(tree.columns)
    branches = np.flatnonzero(tree.columns != LEAF)
    column, right = tree.columns[branches], tree.right[branches]
    is_tree = ((column >= 0) & (column < known) & (right > branches + 1) & (right < nodes)).all()
    if not is_tree or any(len(of_node) != nodes for of_node in tree[:-1]):
        raise ValueError(f"no tree over {known} columns")


def _pruned(tree: TreeArrays, place: NDArray[np.int32]) -> TreeArrays:
    """Return a tree without the branches that look at what is gone."""
    columns = place[tree.columns]
    numbers, right = without_gone(columns, tree.right, _learned(tree))
    kept = {name: array[numbers] for name, array in tree._asdict().items() if name != "seen"}
    kept |= {"columns": columns[numbers], "right": right}
    return TreeArrays(**kept, seen=tree.seen)


def _learned(tree: TreeArrays) -> NDArray[np.float64]:
    """Return the weight that the leaves below each node have learned, shape (N,)."""
    learned: NDArray[np.float64] = np.nan_to_num(tree.weights).sum(axis=1)
    for number in reversed(np.flatnonzero(tree.columns != LEAF).tolist()):
        learned[number] = learned[number + 1] + learned[tree.right[number]]
    return learned


def _begun_anew(tree: TreeArrays) -> TreeArrays:
    """Return a tree whose leaves have yet to choose what they look at."""
    is_leaf = tree.columns == LEAF
    weights = np.nan_to_num(tree.weights).sum(axis=1)
    return tree._replace(
        attempted_at=np.where(is_leaf, weights, 0.0),
        has_seen=np.zeros(len(is_leaf), np.bool_),
        watched=np.full_like(tree.watched, LEAF),
        seen=tree.seen[:0],
    )
