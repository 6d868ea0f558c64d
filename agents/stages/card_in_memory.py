"""The card stage of a task in memory: a half of `agents.stages.in_memory`.

It is by itself for a process that has no use for the other half, whose models take long to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from agents.stages.card import CardOutput, card_stage
from streams.events.card_batch import CardBatch
from streams.events.rows import EVENT
from streams.state.store import MemoryStore
from streams.state.tables import TaskState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.settings.schema import Settings
    from streams.events.batch import Events, Times
    from streams.events.rejected import Rejected
    from streams.wire.frames import Frames


class Counted(NamedTuple):
    """What the card stage makes of a batch, for the merchant stage.

    Attributes
    ----------
    times
        f8[N], stream time at each of them, Unix seconds, never decreasing.
    frames
        N frames.
    rejected
        Disputes whose charge did not come.
    """

    times: Times
    frames: Frames
    rejected: list[Rejected]

    def part(self, start: int, stop: int) -> Self:
        """Return the events from `start` up to `stop`."""
        return type(self)(self.times[start:stop], self.frames.part(start, stop), [])


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

    def count(self, events: Events) -> Iterator[Counted]:
        """Count batch by batch; no event may be older than those of an earlier call."""
        for start in range(0, len(events), self._max_batch):
            batch = events.part(start, start + self._max_batch)
            yield self._counted(self._stage.process(CardBatch(batch.rows, *batch.lists)))

    def end(self) -> Counted:
        """Count the disputes that wait for a time that no charge has reached."""
        none = CardBatch(np.empty(0, EVENT), [], [], [])
        return self._counted(self._stage.process(none, is_paused=True))

    def _counted(self, output: CardOutput) -> Counted:
        self._state.commit(0)
        return Counted(output.times, output.frames, output.rejected)
