"""What every model offers: a learner, a scorer, and the snapshot between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from agents.models.boosted.trainer import Trained
    from schemas.snapshot import Snapshot
    from streams.features.spec import Feature


class SnapshotMismatchError(ValueError):
    """The snapshot is of another kind than the code at hand, or its state is not of that kind."""


class Scorer(Protocol):
    """Scores batches. A row's result does not depend on the rows it is scored with."""

    @property
    def version(self) -> str:
        """What scored events carry as `model`."""

    def predict(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probability of fraud of each row of `vectors`, shape (N, features)."""

    def risks(self, scores: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return the risk of each of its scores: its place among recent ones, 0 to 99."""

    def contributions(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds each feature adds against its mean, shape (N, features)."""


class Learner(Protocol):
    """Learns from examples in order. How they are cut into batches makes no difference."""

    kind: ClassVar[str]

    def __init__(self, features: Sequence[Feature]) -> None: ...

    @property
    def name(self) -> str:
        """Name of the model, the key of its snapshots."""

    @property
    def version(self) -> str:
        """What a snapshot of what is learned so far is called: unique among the model's."""

    def learn(
        self,
        vectors: NDArray[np.float32],
        labels: NDArray[np.bool_],
        weights: NDArray[np.float64],
        created: NDArray[np.float64],
        stands_for: NDArray[np.float64],
    ) -> None:
        """Learn one example after another.

        Parameters
        ----------
        vectors
            Feature vectors as they were scored, shape (N, features), all finite.
        labels
            True where the charge was disputed as fraudulent.
        weights
            How much each example counts in telling fraud from the rest; 0 for not at all.
        created
            When the charges were made, Unix seconds.
        stands_for
            How many charges each example stands for in counting how frequent fraud is: one over
            the share kept by thinning, 0 for none.
        """

    def snapshot(self, offset: int) -> Snapshot:
        """Return the state after all examples below `offset`."""

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot, features: Sequence[Feature]) -> Self:
        """Return the learner that goes on from `snapshot`, bit for bit.

        Its state is read by the names of its features, see `agents.models.columns`.

        Raises
        ------
        SnapshotMismatchError
            When the snapshot is of another kind.
        """


class BoostedLearner(Learner, Protocol):
    """A learner that takes trees from a trainer."""

    def adopt(self, trained: Trained) -> None:
        """Score with new trees from the next example on; they have seen none from there on."""
