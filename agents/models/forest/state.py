"""The state of river's Hoeffding trees as arrays, and trees again from these.

A tree's nodes are numbered in preorder, so a branch's left child comes right after it. River has no
way to save a tree but pickle, which a snapshot must not contain; a test holds a forest that was
saved and restored against one that was not, bit for bit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from river.proba import Gaussian
from river.stats import Var
from river.tree.nodes.branch import NumericBinaryBranch
from river.tree.splitter import GaussianSplitter

from agents.models.forest.pruning import LEAF
from agents.models.packed import packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_CLASSES = (False, True)
_NOTHING = (math.nan,) * 5  # what a leaf keeps: least, largest, weight, mean, squares

_TYPES = {
    "columns": "<i4", "thresholds": "<f8", "right": "<i4", "weights": "<f8",
    "attempted_at": "<f8", "is_active": "?", "has_seen": "?", "watched": "<i4", "seen": "<f8",
}  # fmt: skip


class TreeArrays(NamedTuple):
    """N nodes, some of them leaves that watch M columns for where to split.

    Attributes
    ----------
    columns
        Column that a branch looks at, `LEAF` in leaves, shape (N,).
    thresholds
        A vector goes left if its value is at most this, shape (N,).
    right
        Number of the right child, shape (N,).
    weights
        Of genuine and of fraud, NaN of what was never seen, shape (N, 2).
    attempted_at
        Weight that a leaf had when it was last tried to split, shape (N,).
    is_active, has_seen
        Whether a leaf may still be split, and has seen anything that tells where, shape (N,).
    watched
        Columns that a leaf watches, `LEAF` for none, shape (N, M).
    seen
        What the leaves have seen that have, NaN for nothing of a class, shape (L, M, 2, 5).
    """

    columns: NDArray[np.int32]
    thresholds: NDArray[np.float64]
    right: NDArray[np.int32]
    weights: NDArray[np.float64]
    attempted_at: NDArray[np.float64]
    is_active: NDArray[np.bool_]
    has_seen: NDArray[np.bool_]
    watched: NDArray[np.int32]
    seen: NDArray[np.float64]

    def shares(self) -> NDArray[np.float64]:
        """Return the share of fraud in each node, shape (N,)."""
        weights = np.nan_to_num(self.weights)
        total = weights.sum(axis=1)
        shares: NDArray[np.float64] = weights[:, 1] / np.where(total > 0.0, total, 1.0)
        return shares


def arrays_of(tree: Any, names: Sequence[str]) -> TreeArrays | None:
    """Return the arrays of a tree over columns of these names; `None` if it has learned nothing."""
    if tree._root is None:
        return None
    nodes: list[Any] = []
    right: list[int] = []
    _visit(tree._root, nodes, right)
    place = {name: column for column, name in enumerate(names)}
    arrays = TreeArrays(
        columns=np.full(len(nodes), LEAF, np.int32),
        thresholds=np.zeros(len(nodes)),
        right=np.array(right, np.int32),
        weights=np.array([[n.stats.get(label, math.nan) for label in _CLASSES] for n in nodes]),
        attempted_at=np.zeros(len(nodes)),
        is_active=np.zeros(len(nodes), np.bool_),
        has_seen=np.zeros(len(nodes), np.bool_),
        watched=np.full((len(nodes), tree.max_features), LEAF, np.int32),
        seen=np.empty(0),
    )
    seen: list[float] = []
    for number, node in enumerate(nodes):
        if isinstance(node, NumericBinaryBranch):
            arrays.columns[number], arrays.thresholds[number] = place[node.feature], node.threshold
            continue
        arrays.attempted_at[number] = node.last_split_attempt_at
        arrays.is_active[number] = node.is_active()
        watched = [place[name] for name in node.feature_indices]
        arrays.watched[number, : len(watched)] = watched
        arrays.has_seen[number] = bool(node.splitters)
        if node.splitters:
            for name in node.feature_indices:
                seen += _numbers(node.splitters[name])
    shape = (-1, tree.max_features, len(_CLASSES), len(_NOTHING))
    return arrays._replace(seen=np.array(seen).reshape(shape))


def fill(tree: Any, arrays: TreeArrays, names: Sequence[str]) -> None:
    """Make a new tree what `arrays_of` was called with."""
    seen = iter(arrays.seen.tolist())

    def made(number: int, depth: int) -> Any:
        weights = zip(_CLASSES, arrays.weights[number].tolist(), strict=True)
        stats = {label: weight for label, weight in weights if not math.isnan(weight)}
        tree.classes.update(stats)
        if arrays.columns[number] != LEAF:
            left = made(number + 1, depth + 1)
            return NumericBinaryBranch(  # type: ignore[no-untyped-call]
                stats,
                names[arrays.columns[number]],
                float(arrays.thresholds[number]),
                depth,
                left,
                made(int(arrays.right[number]), depth + 1),
            )
        leaf = tree._new_leaf(stats)
        leaf.depth = depth
        leaf.last_split_attempt_at = float(arrays.attempted_at[number])
        leaf.feature_indices = [names[place] for place in arrays.watched[number] if place != LEAF]
        if not arrays.is_active[number]:
            leaf.deactivate()
        if arrays.has_seen[number]:
            splitters = map(_splitter, next(seen))
            leaf.splitters = dict(zip(leaf.feature_indices, splitters, strict=True))
        return leaf

    tree._root = made(0, 0)
    is_leaf = arrays.columns == LEAF
    tree._n_active_leaves = int(np.count_nonzero(is_leaf & arrays.is_active))
    tree._n_inactive_leaves = int(np.count_nonzero(is_leaf & ~arrays.is_active))


def share(tree: Any, vector: dict[str, float]) -> float:
    """Return the share of fraud in the leaf of a tree that a vector comes to."""
    node = tree._root
    while isinstance(node, NumericBinaryBranch):
        node = node.children[0 if vector[node.feature] <= node.threshold else 1]
    genuine, fraud = (node.stats.get(label, 0.0) for label in _CLASSES)
    return float(fraud / (genuine + fraud)) if fraud else 0.0


def _visit(node: Any, nodes: list[Any], right: list[int]) -> None:
    """Append a node and what is below it, in preorder, and the numbers of the right children."""
    number = len(nodes)
    nodes.append(node)
    right.append(0)
    if isinstance(node, NumericBinaryBranch):
        _visit(node.children[0], nodes, right)
        right[number] = len(nodes)
        _visit(node.children[1], nodes, right)


def _numbers(splitter: GaussianSplitter) -> list[float]:
    """Return what a splitter has seen, of one class after the other."""
    numbers: list[float] = []
    normals, least = splitter._att_dist_per_class, splitter._min_per_class
    for label in _CLASSES:
        if label not in normals:
            numbers += _NOTHING
            continue
        variance = normals[label]._var
        mean = variance.mean
        largest = splitter._max_per_class[label]
        numbers += (least[label], largest, mean.n, mean._mean, variance._S)
    return numbers


def _splitter(numbers: list[list[float]]) -> GaussianSplitter:
    """Return the splitter that `_numbers` tells of."""
    splitter = GaussianSplitter()
    for label, (least, largest, weight, mean, squares) in zip(_CLASSES, numbers, strict=True):
        if math.isnan(weight):
            continue
        normal = Gaussian()  # type: ignore[no-untyped-call]
        normal._var = Var._from_state(weight, mean, 0.0)
        normal._var._S = squares
        splitter._att_dist_per_class[label] = normal
        splitter._min_per_class[label], splitter._max_per_class[label] = least, largest
    return splitter


def encoded(arrays: TreeArrays) -> dict[str, Any]:
    """Return arrays as plain JSON."""
    return {name: packed(array, _TYPES[name]) for name, array in arrays._asdict().items()}


def decoded(state: dict[str, Any]) -> TreeArrays:
    """Return what `encoded` was given."""
    return TreeArrays(**{name: unpacked(array, _TYPES[name]) for name, array in state.items()})
