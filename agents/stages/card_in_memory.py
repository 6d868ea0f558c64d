"""The card stage of a task in memory: a half of `agents.stages.in_memory`.

It is by itself for a process that has no use for the other half, whose models take long to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.stages.card import CardOutput, card_stage
from streams.events.batch import Batch
from streams.state.store import MemoryStore
from streams.state.tables import TaskState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.settings.schema import Settings
    from streams.events.batch import TimedBatch


class Cards:
    """The card stage of a task, with its state.

    Parameters
    ----------
    settings
        As for a worker.
    """

    def __init__(self, settings: Settings) -> None:
        self._max_batch = settings.max_batch
        self._state = TaskState(MemoryStore())
        self._stage = card_stage(self._state, settings)

    @property
    def waiting(self) -> int:
        """How many disputes wait for their charge."""
        return self._stage.waiting.for_charge

    def count(self, events: TimedBatch) -> Iterator[CardOutput]:
        """Count batch by batch; no event may be older than those of an earlier call."""
        for start in range(0, len(events), self._max_batch):
            batch = events.part(start, start + self._max_batch)
            yield self._counted(self._stage.process(batch.batch))

    def end(self) -> CardOutput:
        """Count the disputes that wait for a time that no charge has reached."""
        return self._counted(self._stage.process(Batch(), is_paused=True))

    def _counted(self, output: CardOutput) -> CardOutput:
        self._state.commit(0)
        return output
