"""The blend: an additive model and boosted trees under a logistic regression, and a calibration.

The additive model follows each label at once; the trees see what several features say together, and
are up to a day old. A second level learns how much to trust each: a logistic regression on
the log-odds that both gave an example before either knew its label, learned by plain gradient
descent, one example after another.

Without trees it is the additive model. With the first it begins as the mean of both. New trees take
the place of those before them between two examples (`agents.models.boosted.model`), and the second
level goes on. Each part deals in its own way with a feature that is gone or new.

References
----------
Wolpert 1992, "Stacked generalization", with the prequential order (Dawid 1984) in place of the
folds; Robbins and Monro 1951, "A stochastic approximation method".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from agents.models import kernels
from agents.models.additive import AdditivePart, cell_widths
from agents.models.base import CalibratedLearner, CalibratedScorer
from agents.models.boosted.model import BoostedPart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agents.models.boosted.trainer import Trained
    from schemas.snapshot import Snapshot
    from streams.features.spec import Feature

KIND = "blend"

LEARNING_RATE = 0.001
"""Of the weights and the intercept, as in the stack."""

_ADDITIVE_ALONE, _MEAN = (1.0, 0.0, 0.0), (0.5, 0.5, 0.0)
"""Weights of the additive model and of the trees, and an intercept."""


class BlendLearner(CalibratedLearner):
    """Learns the additive part and the second level, one example at a time."""

    kind: ClassVar[str] = KIND

    def __init__(self, features: Sequence[Feature], name: str | None = None) -> None:
        super().__init__(features, name)
        self._additive = AdditivePart(cell_widths(self._columns.features))
        self._boosted = BoostedPart()
        self._second = np.array(_ADDITIVE_ALONE)

    @property
    def version(self) -> str:
        """See `agents.models.protocols.Learner`: the trees have a number of their own in it."""
        return f"{super().version}{self._boosted.version}"

    def adopt(self, trained: Trained) -> None:
        """Score with new trees from the next example on."""
        if not self._boosted.trained:
            self._second = np.array(_MEAN)
        self._boosted = self._boosted.adopted(trained, self._names)

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
        by_trees = self._boosted.scores.log_odds(rows)
        by_additive = self._additive.learn(rows, labels, weights)
        rate = LEARNING_RATE if self._boosted.trained else 0.0
        log_odds = kernels.second_level_learn(
            by_additive, by_trees, labels, np.ascontiguousarray(weights), rate, self._second
        )
        self._experience.observe(log_odds, labels, weights, created, stands_for)

    def _state(self) -> dict[str, Any]:
        return {
            "additive": self._additive.state(),
            "boosted": self._boosted.state(),
            "second": self._second.tolist(),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self._additive = AdditivePart.from_state(state["additive"], self._columns)
        self._boosted = BoostedPart.from_state(state["boosted"], self._columns)
        self._second = _second_of(state)


class BlendScorer(CalibratedScorer):
    """Scores batches with both parts of a snapshot of a `BlendLearner`."""

    kind: ClassVar[str] = KIND

    def __init__(self, snapshot: Snapshot, features: Sequence[Feature]) -> None:
        super().__init__(snapshot, features)
        self._additive = AdditivePart.from_state(snapshot.state["additive"], self._columns)
        self._boosted = BoostedPart.from_state(snapshot.state["boosted"], self._columns)
        self._second = _second_of(snapshot.state)

    def log_odds(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds before calibration, shape (N,)."""
        rows = self._transformed(vectors)
        of_additive, of_trees, intercept = self._second.tolist()
        log_odds: NDArray[np.float64] = (
            intercept
            + of_additive * self._additive.log_odds(rows)
            + of_trees * self._boosted.scores.log_odds(rows)
        )
        return log_odds

    def contributions(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds, before calibration, that each feature adds through both parts.

        Returns
        -------
        Shape (N, features). A row adds up to its `log_odds` less those where the additive part is
        at the vector of means and the trees are at their roots.
        """
        rows = self._transformed(vectors)
        of_additive, of_trees, _ = self._second.tolist()
        added = of_additive * self._additive.contributions(rows)
        added += of_trees * self._boosted.scores.contributions(rows)
        return self._columns.to_vectors(added)


def _second_of(state: dict[str, Any]) -> NDArray[np.float64]:
    second = np.array(state["second"], np.float64)
    if second.shape != (3,) or not np.isfinite(second).all():
        raise ValueError(f"no second level: {state['second']}")
    return second
