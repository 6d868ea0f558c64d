"""The stack: an additive model and a forest under a logistic regression, with a calibration on top.

The additive model sees each feature for itself, the forest also what two of them say together. A
second level learns how much to trust each: a logistic regression on the log-odds that both gave an
example before they learned it, so that it never sees a label through a part that knows it already.
It is river's own, by plain gradient descent, one example after another.

The parts learn what they would alone: the additive model all examples, the forest not all controls.
The second level learns all, for which the forest is asked for its log-odds of each. Each part deals
in its own way with a feature that is gone or new; the second level knows nothing of features.

References
----------
Wolpert 1992, "Stacked generalization", with the prequential order (Dawid 1984) in place of the
folds; Robbins and Monro 1951, "A stochastic approximation method".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from river.linear_model import LogisticRegression
from river.optim import SGD
from river.utils import VectorDict

from agents.models import additive
from agents.models.additive import AdditivePart, cell_widths
from agents.models.base import CalibratedLearner, CalibratedScorer
from agents.models.forest import model as forest
from agents.models.forest.model import ForestPart, ForestVotes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from schemas.snapshot import Snapshot
    from streams.features.spec import Feature

KIND = "stack"

LEARNING_RATE = 0.001
"""Of weights and intercept; measured: slower takes less from a forest that helps, faster too much
from one that does not."""

FIRST_WEIGHTS = {additive.KIND: 1.0, forest.KIND: 0.0}
"""Of the log-odds of the parts, when trees have not grown yet and say nothing."""


def second_level(weights: dict[str, float], intercept: float) -> LogisticRegression:
    """Return the regression on the log-odds of the parts, as far as it has learned."""
    regression = LogisticRegression(
        optimizer=SGD(LEARNING_RATE), intercept_init=intercept, intercept_lr=LEARNING_RATE
    )
    # river has no public way to set weights; the test of an exact restore guards this one.
    regression._weights = VectorDict(dict(weights))
    return regression


class StackLearner(CalibratedLearner):
    """Learns both parts and the second level, one example at a time."""

    kind: ClassVar[str] = KIND

    def __init__(self, features: Sequence[Feature], name: str | None = None) -> None:
        super().__init__(features, name)
        self._additive = AdditivePart(cell_widths(self._columns.features))
        self._forest = ForestPart(self._names)
        self._second = second_level(FIRST_WEIGHTS, 0.0)

    def learn(
        self,
        vectors: NDArray[np.float32],
        labels: NDArray[np.bool_],
        weights: NDArray[np.float64],
        created: NDArray[np.float64],
        stands_for: NDArray[np.float64],
    ) -> None:
        """Learn one example after another; see `agents.models.protocols.Learner`."""
        rows = self._learned_rows(vectors, labels, weights)
        by_additive = self._additive.learn(rows, labels, weights)
        is_taught = self._forest.choose(labels, weights)
        by_forest = self._forest.learn(rows, labels, is_taught, np.ones(len(rows), np.bool_))
        columns = (by_additive, by_forest, labels, weights)
        examples = zip(*(column.tolist() for column in columns), strict=True)
        log_odds = np.array([self._learn_one(*example) for example in examples])
        self._experience.observe(log_odds, labels, weights, created, stands_for)

    def _learn_one(self, by_additive: float, by_forest: float, fraud: bool, weight: float) -> float:
        """Learn an example, unless its weight is 0, and return the log-odds it had before."""
        given = {additive.KIND: by_additive, forest.KIND: by_forest}
        log_odds = float(self._second._raw_dot_one(given))
        if weight > 0.0:
            self._second.learn_one(given, fraud, weight)
        return log_odds

    def _state(self) -> dict[str, Any]:
        return {
            "additive": self._additive.state(),
            "forest": self._forest.state(),
            "weights": self._second.weights,
            "intercept": self._second.intercept,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self._additive = AdditivePart.from_state(state["additive"], self._columns)
        self._forest = ForestPart.from_state(state["forest"], self._columns)
        self._second = second_level(state["weights"], state["intercept"])


class StackScorer(CalibratedScorer):
    """Scores batches with both parts of a snapshot of a `StackLearner`."""

    kind: ClassVar[str] = KIND

    def __init__(self, snapshot: Snapshot, features: Sequence[Feature]) -> None:
        super().__init__(snapshot, features)
        state = snapshot.state
        self._additive = AdditivePart.from_state(state["additive"], self._columns)
        self._votes = ForestVotes(state["forest"], self._columns)
        self._weights: dict[str, float] = state["weights"]
        self._intercept = float(state["intercept"])

    def log_odds(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds before calibration: those of river's `predict_proba_one`."""
        rows = self._transformed(vectors)
        return self._intercept + self._weighted(
            self._additive.log_odds(rows), self._votes.log_odds(rows)
        )

    def contributions(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds, before calibration, that each feature adds through both parts.

        Returns
        -------
        Shape (N, features). A row adds up to its `log_odds` less those where the additive part is
        at the vector of means and the forest at the roots' mean share.
        """
        rows = self._transformed(vectors)
        added = self._weighted(self._additive.contributions(rows), self._votes.contributions(rows))
        return self._columns.to_vectors(added)

    def _weighted(
        self, by_additive: NDArray[np.float64], by_forest: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        weights = self._weights
        return weights[additive.KIND] * by_additive + weights[forest.KIND] * by_forest
