"""The first half of a backtest: from files to what the card stage makes of them.

It knows no model and no label, so it may run ahead of the rest, as it does between two topics. And
it imports neither, as the process that it runs in is waited for.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from agents.process import peak_rss_mb
from agents.stages.card import CardOutput, card_stage
from streams.events.batch import Batch
from streams.state.store import MemoryStore
from streams.state.tables import TaskState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.backtest.replay import Replay
    from agents.settings.schema import Settings
    from streams.events.batch import TimedBatch
    from streams.events.decoding import Finding
    from streams.events.rejected import Rejected


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


class Read(NamedTuple):
    """What comes next of files: of `agents.backtest.replay.Part`, with the events counted.

    Attributes
    ----------
    counted
        Batches of events.
    inputs, findings
        As for `Part`.
    rejected
        Inputs that are no events.
    waiting
        Disputes that wait for their charge.
    peak_rss_mb
        Most memory that the process which reads has had by now, MB.
    """

    counted: list[CardOutput]
    rejected: list[Rejected]
    inputs: int
    findings: Counter[tuple[Finding, str]]
    waiting: int
    peak_rss_mb: float


def read(replay: Replay, settings: Settings) -> Iterator[Read]:
    """Read and count the events of a replay that has been surveyed.

    Raises
    ------
    FileError
        As `Replay.parts`.
    """
    cards, inputs = Cards(settings), 0
    for part in replay.parts():
        counted = list(cards.count(part.events))
        yield Read(counted, part.rejected, part.inputs, part.findings, cards.waiting, peak_rss_mb())
        inputs = part.inputs
    yield Read([cards.end()], [], inputs, Counter(), cards.waiting, peak_rss_mb())
