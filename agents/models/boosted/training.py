"""Training of boosted trees, by LightGBM: on one thread, and the same trees from the same examples.

Whoever scores needs none of it: trees are arrays by then (`agents.models.boosted.trees`).

References
----------
Friedman 2001, "Greedy function approximation: a gradient boosting machine"; Ke et al. 2017,
"LightGBM: a highly efficient gradient boosting decision tree".
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.models.boosted.trees import Trees
from agents.models.forest.pruning import LEAF
from streams.errors import OperationalError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Node = tuple[int, float, int, float, int]
    """Column, threshold, right child, value and examples."""

TREES = 200

PARAMETERS = {
    "objective": "binary",
    "num_leaves": 15,
    "learning_rate": 0.05,
    "min_data_in_leaf": 50,
    "feature_fraction": 0.5,
    "use_missing": False,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 1,
    "verbose": -1,
}


class LightGBMMissingError(OperationalError):
    """Boosted trees are to be trained, and LightGBM is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "boosted trees are trained by LightGBM, which is not installed: "
            "pip install '.[boosted]'"
        )


def can_train() -> bool:
    """Whether LightGBM is installed."""
    return find_spec("lightgbm") is not None


def train(
    rows: NDArray[np.float32], labels: NDArray[np.bool_], weights: NDArray[np.float64]
) -> Trees:
    """Train trees to tell fraud from the rest.

    Parameters
    ----------
    rows
        Transformed vectors, shape (N, columns).
    labels
        True for fraud, shape (N,).
    weights
        How much each counts, shape (N,).
    """
    lightgbm = import_module("lightgbm")
    examples = lightgbm.Dataset(rows, labels, weight=weights, params=PARAMETERS)
    booster = lightgbm.train(PARAMETERS, examples, num_boost_round=TREES)
    return trees_of(booster.dump_model())


def trees_of(dumped: dict[str, Any]) -> Trees:
    """Return the trees of a model as LightGBM dumps it."""
    trees: list[list[Node]] = []
    for tree in dumped["tree_info"]:
        nodes: list[Node] = []
        _visit(tree["tree_structure"], nodes)
        trees.append(nodes)
    columns, thresholds, right, values, examples = (
        np.array(numbers)
        for numbers in zip(*(node for nodes in trees for node in nodes), strict=True)
    )
    return Trees(
        sizes=np.array([len(nodes) for nodes in trees], np.int32),
        columns=columns.astype(np.int32),
        thresholds=thresholds.astype(np.float64),
        right=right.astype(np.int32),
        values=values.astype(np.float64),
        examples=examples.astype(np.int32),
    )


def _visit(node: dict[str, Any], nodes: list[Node]) -> None:
    """Append a node and what is below it, in preorder."""
    number = len(nodes)
    if "split_feature" not in node:
        nodes.append((LEAF, 0.0, 0, node["leaf_value"], node.get("leaf_count", 0)))
        return
    assert node["decision_type"] == "<=", "no column is a category to LightGBM"
    assert node["missing_type"] == "None", "no value is missing"
    nodes.append((0, 0.0, 0, 0.0, 0))  # its place
    _visit(node["left_child"], nodes)
    right = len(nodes)
    _visit(node["right_child"], nodes)
    (*_, left_value, left), (*_, right_value, other) = nodes[number + 1], nodes[right]
    value = (left * left_value + other * right_value) / (left + other)
    nodes[number] = (node["split_feature"], node["threshold"], right, value, left + other)
