"""The learner: labelled examples in, model snapshots out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from msgspec.structs import replace

from agents.learning.model_registry import loaded_version
from agents.models.boosted.trainer import Trained, Trainer
from agents.models.kinds import DEFAULT, KINDS, new_learner, restored_learner
from schemas.snapshot import Snapshot
from streams.events.rows import Rows
from streams.features.entities import FEATURES
from streams.features.spec import Feature

if TYPE_CHECKING:
    from agents.models.protocols import BoostedLearner, Learner


class LearnerStage:
    """Learns from examples in the order they come, and says when a snapshot is due.

    Parameters
    ----------
    snapshot
        Where to go on; from nothing when `None`.
    every_examples
        A snapshot is due whenever so many more were learned. Counted from the very first example,
        so that the same examples give the same versions, however they come in batches.
    kind
        Of the learner that begins from nothing.
    features
        The columns of the vectors.

    Attributes
    ----------
    offset
        Offset of the next example to learn.
    loaded
        The loaded model that it goes on from, as a snapshot names it.
    is_boosted
        Whether the model takes trees from a trainer.
    """

    def __init__(
        self,
        snapshot: Snapshot | None,
        every_examples: int,
        kind: str = DEFAULT,
        features: Sequence[Feature] = FEATURES,
    ) -> None:
        self._every_examples = every_examples
        self._learner: Learner
        if snapshot is None:
            self._learner, self.offset, self._examples = new_learner(features, kind), 0, 0
            self.loaded, self._loaded_at = "", 0
        else:
            self._learner = restored_learner(snapshot, features)
            self.offset, self._examples = snapshot.offset, snapshot.examples
            self.loaded, self._loaded_at = snapshot.loaded, snapshot.loaded_at
        self.is_boosted = KINDS[self._learner.kind].is_boosted

    @property
    def version(self) -> str:
        """Of a snapshot of what is learned so far."""
        version = self._learner.version
        return loaded_version(version, self._learner.name, self.loaded) if self.loaded else version

    def adopt(self, trained: Trained) -> None:
        """Have a boosted model score with new trees from the next example on.

        They must not have seen it: the model is past the examples that they were trained on.
        """
        assert self.offset >= trained.offset
        cast("BoostedLearner", self._learner).adopt(trained)

    def learn(self, examples: Rows, offsets: Sequence[int]) -> list[Snapshot]:
        """Learn a batch.

        Parameters
        ----------
        examples
            EXAMPLE[N].
        offsets
            N offsets of them, rising.

        Returns
        -------
        list
            The snapshots that were due, each as of the example that made it so.
        """
        due = []
        start = 0
        while start < len(examples):
            stop = start + self._every_examples - self._examples % self._every_examples
            self._learn(examples[start:stop], offsets[start:stop])
            if self._examples % self._every_examples == 0:
                due.append(self.snapshot())
            start = stop
        return due

    def snapshot(self) -> Snapshot:
        """Return what is learned so far."""
        snapshot = self._learner.snapshot(self.offset)
        if not self.loaded:
            return snapshot
        return replace(
            snapshot, version=self.version, loaded=self.loaded, loaded_at=self._loaded_at
        )

    def _learn(self, examples: Rows, offsets: Sequence[int]) -> None:
        self._learner.learn(
            examples["vector"],
            examples["label"].astype(bool),
            examples["weight"],
            examples["charged_at"],
            examples["stands_for"],
        )
        self._examples += len(examples)
        self.offset = offsets[-1] + 1


class TrainingStage(LearnerStage):
    """A learner of a boosted model that trains the trees itself, whenever they are due.

    Where nobody waits for it, as in a backtest: the trees are there with the next example.
    """

    def __init__(
        self,
        snapshot: Snapshot | None,
        every_examples: int,
        kind: str,
        features: Sequence[Feature] = FEATURES,
    ) -> None:
        super().__init__(snapshot, every_examples, kind, features)
        self._trainer = Trainer(features)

    def learn(self, examples: Rows, offsets: Sequence[int]) -> list[Snapshot]:
        """Learn a batch; see `LearnerStage.learn`."""
        due = []
        while len(examples):
            count = self._trainer.take(examples, offsets)
            if self._trainer.is_due and (trained := self._trainer.train()) is not None:
                self.adopt(trained)
            due += super().learn(examples[:count], offsets[:count])
            examples, offsets = examples[count:], offsets[count:]
        return due
