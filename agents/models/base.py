"""What all models that are learned have in common: a calibration on top, and their snapshots.

A kind of model brings how it learns and the log-odds it gives, uncalibrated. Around it are here:
the choice of the columns and their transform, the experience that calibrates and judges it, and
what every snapshot holds of these.

A model goes on from a snapshot of other features, too. A new feature adds nothing until something
is learned of it. What one that is gone added is left out, in the way that its kind says; the
experience stays, so the calibration follows with the next labels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

from agents.models import kernels
from agents.models.calibration import calibrated
from agents.models.columns import Columns, columns_of
from agents.models.track_record import Experience
from agents.models.transforms import Transforms
from schemas.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from streams.features.spec import Feature


class CalibratedLearner(ABC):
    """A learner of transformed features, without what it learns with.

    Parameters
    ----------
    features
        The columns of the vectors, in order.
    name
        Name of the model, the key of its snapshots; by default its kind.
    """

    kind: ClassVar[str]

    def __init__(self, features: Sequence[Feature], name: str | None = None) -> None:
        self.name = name or self.kind
        self._read_by(Columns(features))
        self._experience = Experience()

    @property
    def version(self) -> str:
        """What a snapshot of what is learned so far is called."""
        return f"{self.name}-{self._experience.examples:010d}"

    def snapshot(self, offset: int) -> Snapshot:
        """Return the state after all examples below `offset`."""
        experience = self._experience
        return Snapshot(
            name=self.name,
            kind=self.kind,
            version=self.version,
            offset=offset,
            examples=experience.examples,
            created=experience.created,
            features=self._names,
            state={
                "experience": experience.state(),
                **self._transforms.state(),
                **self._state(),
            },
        )

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot, features: Sequence[Feature]) -> Self:
        """Return the learner that goes on from `snapshot`, bit for bit.

        Raises
        ------
        SnapshotMismatchError
            When the snapshot is of another kind.
        """
        columns = columns_of(snapshot, cls.kind, features)
        learner = cls(features, snapshot.name)
        learner._read_by(columns)
        learner._transforms = Transforms.from_state(snapshot.state, columns)
        learner._experience = Experience.from_snapshot(snapshot)
        learner._restore(snapshot.state)
        return learner

    def _read_by(self, columns: Columns) -> None:
        self._columns = columns
        self._names = tuple(feature.name for feature in columns.features)
        self._transforms = Transforms(columns.features)

    def _learned_rows(
        self,
        vectors: NDArray[np.float32],
        labels: NDArray[np.bool_],
        weights: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        return self._transforms.learn(self._columns.of_vectors(vectors), labels, weights)

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """Return what was learned, as plain numbers and text."""

    @abstractmethod
    def _restore(self, state: dict[str, Any]) -> None:
        """Take over what another has learned, whose `_state` over known columns is in `state`."""


class CalibratedScorer(ABC):
    """A scorer from a snapshot, without how its kind scores.

    Parameters
    ----------
    snapshot
        Of a learner of this kind.
    features
        The columns of the vectors it will be given.

    Raises
    ------
    SnapshotMismatchError
        When the snapshot is of another kind.
    """

    kind: ClassVar[str]

    def __init__(self, snapshot: Snapshot, features: Sequence[Feature]) -> None:
        self._columns = columns_of(snapshot, self.kind, features)
        self.version = snapshot.version
        self._transforms = Transforms.from_state(snapshot.state, self._columns)
        experience = Experience.from_snapshot(snapshot)
        self._curve = experience.curve()
        self._reference = experience.reference(self._curve)

    def predict(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the calibrated probability of fraud of each row, shape (N,)."""
        probabilities: NDArray[np.float64] = kernels.sigmoid(
            calibrated(self.log_odds(vectors), self._curve)
        )
        return probabilities

    def risks(self, scores: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return the risk of each score, 0 to 99."""
        return self._reference.risks(scores)

    def _transformed(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        return self._transforms.apply(self._columns.of_vectors(vectors))

    @abstractmethod
    def log_odds(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds before calibration, shape (N,)."""

    @abstractmethod
    def contributions(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds, before calibration, that each feature adds, shape (N, features)."""
