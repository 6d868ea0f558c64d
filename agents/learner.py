"""The learner: labelled examples in, model snapshots out."""

from typing import TYPE_CHECKING

from agents.models.registry import new_learner, restored_learner
from schemas.snapshot import Snapshot
from streams.events import Rows
from streams.features import FEATURES

if TYPE_CHECKING:
    from agents.models.interface import Learner


class LearnerStage:
    """Learns from examples in the order they come, and says when a snapshot is due.

    Parameters
    ----------
    snapshot
        Where to go on; from nothing when `None`.
    every_examples
        Examples between two snapshots. Counted, so that the same examples give the same versions.
    """

    def __init__(self, snapshot: Snapshot | None, every_examples: int) -> None:
        self._every_examples = every_examples
        self._learner: Learner
        if snapshot is None:
            self._learner, self.offset, self._unpublished = new_learner(FEATURES), 0, 0
        else:
            self._learner = restored_learner(snapshot, FEATURES)
            self.offset, self._unpublished = snapshot.offset, 0

    @property
    def has_news(self) -> bool:
        """Whether anything was learned since the last snapshot."""
        return self._unpublished > 0

    def learn(self, examples: Rows, next_offset: int) -> Snapshot | None:
        """Learn a batch.

        Parameters
        ----------
        examples
            EXAMPLE[N].
        next_offset
            Offset of the example that comes after them.

        Returns
        -------
        Snapshot or None
            A new snapshot when one is due.
        """
        self._learner.learn(
            examples["vector"],
            examples["label"].astype(bool),
            examples["weight"],
            examples["charged_at"],
        )
        self.offset = next_offset
        self._unpublished += len(examples)
        return self.snapshot() if self._unpublished >= self._every_examples else None

    def snapshot(self) -> Snapshot:
        """Return what is learned so far."""
        self._unpublished = 0
        return self._learner.snapshot(self.offset)
