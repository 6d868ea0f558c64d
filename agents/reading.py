"""The first half of a backtest: from files to what the card stage makes of them.

It knows no model and no label, so it may run ahead of the rest, as it does between two topics. And
it imports neither, as the process that it runs in is waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from agents.card import CardBatch, card_stage
from agents.memory import peak_rss_mb
from streams.state import TaskState
from streams.store import MemoryStore

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from agents.replay import Replay
    from agents.settings import Settings
    from streams.decoding import Finding, Rejected
    from streams.frames import Frames
    from streams.intake import Events, Times


class Counted(NamedTuple):
    """What the card stage makes of a batch, for the merchant stage.

    Attributes
    ----------
    times
        f8[N], the events' times, Unix seconds, never decreasing.
    frames
        N frames.
    """

    times: Times
    frames: Frames

    def part(self, start: int, stop: int) -> Self:
        """Return the events from `start` up to `stop`."""
        return type(self)(self.times[start:stop], self.frames.part(start, stop))


class Cards:
    """The card stage of a backtest, with its state.

    Parameters
    ----------
    settings
        As for a worker.
    """

    def __init__(self, settings: Settings) -> None:
        self._max_batch = settings.max_batch
        self._state = TaskState(MemoryStore())
        self._stage = card_stage(self._state, settings)

    def count(self, events: Events) -> Iterator[Counted]:
        """Count batch by batch; no event may be older than those of an earlier call."""
        for start in range(0, len(events), self._max_batch):
            batch = events.part(start, start + self._max_batch)
            frames = self._stage.process(CardBatch(batch.rows, *batch.lists))
            self._state.commit(0)
            yield Counted(batch.times, frames)


class Read(NamedTuple):
    """What comes next of files: of `agents.replay.Part`, with the events counted.

    Attributes
    ----------
    counted
        Batches of events.
    rejected, inputs, findings
        As for `Part`.
    peak_rss_mb
        Most memory that the process which reads has had by now, MB.
    """

    counted: list[Counted]
    rejected: list[Rejected]
    inputs: int
    findings: Counter[tuple[Finding, str]]
    peak_rss_mb: float


def read(replay: Replay, settings: Settings) -> Iterator[Read]:
    """Read and count the events of a replay that has been surveyed.

    Raises
    ------
    FileError
        As `Replay.parts`.
    """
    cards = Cards(settings)
    for part in replay.parts():
        counted = list(cards.count(part.events))
        yield Read(counted, part.rejected, part.inputs, part.findings, peak_rss_mb())
