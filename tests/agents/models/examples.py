"""Streams of examples for the tests of models."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from agents.models.columns import Columns
from agents.models.transforms import Transforms
from streams.features.spec import Feature

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.models.protocols import Learner
    from streams.features.spec import Transform

DAY = 86_400.0

TRANSFORMS: tuple[Transform, ...] = ("none", "log1p", "signed_log", "none", "log1p", "none")
FEATURES = [
    *(
        Feature(f"f{i}", "charge", "count", transform, "never", "{value}")
        for i, transform in enumerate(TRANSFORMS)
    ),
    Feature("shop", "charge", "category", "category", "0", "{value}"),
    Feature("signal", "charge", "number", "adaptive", "NaN", "{value}", np.nan),
]
PLAIN = FEATURES[: len(TRANSFORMS)]
"""Those of which nothing is learned but what a model learns."""

CONSTANT, SHOP, SIGNAL = 3, 6, 7
"""The column that is always the same, a category, and a number of unknown scale."""


class Examples(NamedTuple):
    """N examples, the arguments of `Learner.learn`."""

    vectors: NDArray[np.float32]
    labels: NDArray[np.bool_]
    weights: NDArray[np.float64]
    created: NDArray[np.float64]
    stands_for: NDArray[np.float64]

    def of(self, rows: slice | NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Return some of them."""
        vectors, labels, weights, created, stands_for = self
        return type(self)(
            vectors[rows], labels[rows], weights[rows], created[rows], stands_for[rows]
        )

    def learn(self, learner: Learner) -> None:
        """Let a learner learn them."""
        learner.learn(*self)


def random_examples(seed: int, rows: int, fraud_rate: float = 0.1) -> Examples:
    """Return examples whose columns are skewed, signed, constant and almost constant.

    Frauds, controls that stand for nothing, and genuine ones that only count.
    """
    rng = np.random.default_rng(seed)
    labels = rng.random(rows) < fraud_rate
    vectors = np.empty((rows, len(FEATURES)), np.float32)
    vectors[:, 0] = rng.normal(3.0, 2.0, rows) + labels
    vectors[:, 1] = rng.lognormal(2.0, 3.0, rows) * np.where(labels, 5.0, 1.0)
    vectors[:, 2] = rng.normal(0.0, 100.0, rows)
    vectors[:, CONSTANT] = 0.1
    vectors[:, 4] = rng.random(rows) < 0.001
    vectors[:, 5] = rng.random(rows) < 0.5
    vectors[:, SHOP] = rng.integers(0, 8, rows)
    vectors[:, SIGNAL] = 1e-6 * rng.lognormal(0.2 * labels, 2.0)
    vectors[rng.random(rows) < 0.2, SIGNAL] = np.nan
    is_counted = labels | (rng.random(rows) < 0.5)
    weights = np.where(labels, 1.0, np.where(is_counted, 0.0, 2.0))
    stands_for = np.where(labels, 1.0, np.where(is_counted, 10.0, 0.0))
    created = 1.7e9 + np.sort(rng.uniform(0.0, 40 * DAY, rows))
    return Examples(vectors, labels, weights, created, stands_for)


class RiverRows(NamedTuple):
    """Transformed rows as river takes them.

    Attributes
    ----------
    to_learn
        Of the examples that are learned, each as it is before it is learned itself.
    to_score
        Of all examples, after these are learned.
    """

    to_learn: list[dict[str, float]]
    to_score: list[dict[str, float]]


def in_river_units(examples: Examples, learned: int) -> RiverRows:
    """Return the rows of examples, the first of which are learned.

    By numpy instead of the kernels, but for what is learned of a column: that has its own tests.
    """
    columns, first = Columns(FEATURES), examples.of(slice(learned))
    transforms = Transforms(columns.features)
    to_learn = transforms.learn(columns.of_vectors(first.vectors), first.labels, first.weights)
    to_score = transforms.apply(columns.of_vectors(examples.vectors))
    return RiverRows(_named(first.vectors, to_learn), _named(examples.vectors, to_score))


def _named(vectors: NDArray[np.float32], rows: NDArray[np.float64]) -> list[dict[str, float]]:
    values = rows.copy()
    values[:, : len(PLAIN)] = vectors[:, : len(PLAIN)]
    for column, transform in enumerate(TRANSFORMS):
        if transform == "log1p":
            values[:, column] = np.log1p(values[:, column])
        elif transform == "signed_log":
            values[:, column] = np.sign(values[:, column]) * np.log1p(np.abs(values[:, column]))
    names = [feature.name for feature in Columns(FEATURES).features]
    return [dict(zip(names, row, strict=True)) for row in values.tolist()]
