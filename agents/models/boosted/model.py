"""The boosted model: trees trained anew once a day, with a calibration on top.

The learner of this kind learns no trees. It takes those that a trainer has made of earlier examples
(`adopt`), scores each example with them before it knows its label, and learns the calibration and
the numbers of its columns. An example that trees were trained on is never scored by these as if it
were new: trees are taken only by a learner that is past the examples they have seen.

Of a feature that is gone the branches make way; a new one is looked at by the next trees. Which
trees there were is in the snapshot, so whoever goes on from it goes on with the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from agents.models.base import CalibratedLearner, CalibratedScorer
from agents.models.boosted.trees import NO_TREES, Trees, TreeScores, from_state
from agents.models.forest.pruning import LEAF

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agents.models.boosted.trainer import Trained
    from agents.models.columns import Columns
    from schemas.snapshot import Snapshot
    from streams.features.spec import Feature

KIND = "boosted"


class BoostedPart:
    """Trees in a model, and where they come from.

    Parameters
    ----------
    trees
        Over the columns of the model.
    trained
        How many trainings they are the last of.

    Attributes
    ----------
    trained
        As above; 0 before the first trees.
    scores
        The trees as they score.
    """

    def __init__(self, trees: Trees = NO_TREES, trained: int = 0) -> None:
        self._trees = trees
        self.trained = trained
        self.scores = TreeScores(trees)

    def adopted(self, trained: Trained, names: Sequence[str]) -> BoostedPart:
        """Return the part with new trees; `names` are those of the model's columns."""
        place = np.array([*(names.index(name) for name in trained.names), LEAF], np.int32)
        return BoostedPart(trained.trees.at(place), self.trained + 1)

    @property
    def version(self) -> str:
        """What tells the trees apart in the version of a snapshot, which has not much room."""
        return f".{self.trained % 1000}"

    def state(self) -> dict[str, Any]:
        """Return all of it as plain numbers and text."""
        return {"trees": self._trees.state(), "trained": self.trained}

    @classmethod
    def from_state(cls, state: dict[str, Any], columns: Columns) -> Self:
        """Return the part whose `state` this is, which is over the known columns."""
        return cls(from_state(state["trees"], columns), int(state["trained"]))


class BoostedLearner(CalibratedLearner):
    """Calibrates trees that others train, one example at a time."""

    kind: ClassVar[str] = KIND

    def __init__(self, features: Sequence[Feature], name: str | None = None) -> None:
        super().__init__(features, name)
        self._part = BoostedPart()

    @property
    def version(self) -> str:
        """See `agents.models.protocols.Learner`: the trees have a number of their own in it."""
        return f"{super().version}{self._part.version}"

    def adopt(self, trained: Trained) -> None:
        """Score with new trees from the next example on."""
        self._part = self._part.adopted(trained, self._names)

    def learn(
        self,
        vectors: NDArray[np.float32],
        labels: NDArray[np.bool_],
        weights: NDArray[np.float64],
        created: NDArray[np.float64],
        stands_for: NDArray[np.float64],
    ) -> None:
        """Learn one example after another; see `agents.models.protocols.Learner`.

        Without trees none counts as learned, so the prior scores until there are some.
        """
        rows = self._learned_rows(vectors, labels, weights)
        log_odds = self._part.scores.log_odds(rows)
        known = weights if self._part.trained else np.zeros_like(weights)
        self._experience.observe(log_odds, labels, known, created, stands_for)

    def _state(self) -> dict[str, Any]:
        return {"boosted": self._part.state()}

    def _restore(self, state: dict[str, Any]) -> None:
        self._part = BoostedPart.from_state(state["boosted"], self._columns)


class BoostedScorer(CalibratedScorer):
    """Scores batches with the trees of a snapshot of a `BoostedLearner`."""

    kind: ClassVar[str] = KIND

    def __init__(self, snapshot: Snapshot, features: Sequence[Feature]) -> None:
        super().__init__(snapshot, features)
        self._part = BoostedPart.from_state(snapshot.state["boosted"], self._columns)

    def log_odds(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds before calibration: LightGBM's raw score."""
        return self._part.scores.log_odds(self._transformed(vectors))

    def contributions(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds, before calibration, that each feature adds to those of the roots.

        Returns
        -------
        Shape (N, features). A row adds up to its `log_odds` less those of the roots.
        """
        return self._columns.to_vectors(self._part.scores.contributions(self._transformed(vectors)))
