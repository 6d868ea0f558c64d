"""The backtest: files through the same stages as a worker's, in event-time order, without Kafka.

Every batch is scored with the model as it was before the batch, and then learned from: prequential
evaluation (Gama, Sebastiao and Rodrigues 2013, "On evaluating stream learning algorithms"), with
each label coming when it would have come.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from agents.card import CardBatch
from agents.learner import LearnerStage
from agents.merchant import MerchantOutput
from agents.models.registry import scorer
from agents.settings import Settings
from agents.tasks import TaskStages
from streams.decoding import Decoded, Input, Rejected, card_in, decode_charges, decode_disputes
from streams.events import EVENT, Rows
from streams.features import FEATURES
from streams.frames import Origin, decode_frames
from streams.intake import Events
from streams.state import TaskState
from streams.store import MemoryStore

if TYPE_CHECKING:
    from schemas.snapshot import Snapshot

_DECODED_AT_A_TIME = 10_000
_BATCHES_TO_A_COMMIT = 16


@dataclass(frozen=True, slots=True)
class Step:
    """What one batch gave.

    Attributes
    ----------
    charges
        EVENT[N] of the charges scored.
    output
        Scored events and examples, in the same order.
    """

    charges: Rows
    output: MerchantOutput


class Backtest:
    """One task over files.

    Parameters
    ----------
    settings
        As for a worker.
    clock
        Gives `scored_at`, Unix seconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self.rejected: list[Rejected] = []
        self.snapshot: Snapshot | None = None
        self._settings = settings
        self._clock = clock
        self._store = MemoryStore()
        self._state = TaskState(self._store)
        self._stages = TaskStages(self._state, settings)
        self._learner = LearnerStage(None, settings.snapshot_every_examples)
        self._scorer = scorer(None, FEATURES)
        self._learned = 0

    def read(self, charges: Iterable[bytes], disputes: Iterable[bytes]) -> Events:
        """Decode both files and put them in the order of event time; charges before disputes."""
        latest = self._clock() + self._settings.future_allowance_minutes * 60.0
        parts = [
            _events(decoded)
            for topic, lines, decode in (
                ("charges", charges, decode_charges),
                ("disputes", disputes, decode_disputes),
            )
            for decoded in self._decoded(topic, lines, decode, latest)
        ]
        empty = Events(np.empty(0), np.empty(0, EVENT), ([], [], []))
        return Events.merged([empty, *parts])

    def run(self, events: Events) -> Iterator[Step]:
        """Score and learn batch by batch."""
        for number, start in enumerate(range(0, len(events), self._settings.max_batch)):
            yield self._step(events.part(start, start + self._settings.max_batch))
            if number % _BATCHES_TO_A_COMMIT == 0:
                self._stages.flush()
                self._state.commit(number)

    def _decoded(
        self,
        topic: str,
        lines: Iterable[bytes],
        decode: Callable[[list[Input], float], Decoded],
        latest: float,
    ) -> Iterator[Decoded]:
        numbered = enumerate(lines)
        while chunk := list(islice(numbered, _DECODED_AT_A_TIME)):
            inputs = [Input(card_in(line), line, Origin(topic, 0, n)) for n, line in chunk]
            decoded = decode(inputs, latest)
            self.rejected.extend(decoded.rejected)
            yield decoded

    def _step(self, events: Events) -> Step:
        batch = CardBatch(events.rows, *events.lists)
        frames = decode_frames(self._stages.card.process(batch))
        output = self._stages.merchant.process(batch.merchants, frames, self._scorer, self._clock)
        self.rejected.extend(output.rejected)
        self._learn(output.examples)
        return Step(frames.rows["event"][frames.rows["event"]["kind"] == 0], output)

    def _learn(self, examples: Rows) -> None:
        """Learn, and take every snapshot that is due at once: files need not wait for a topic."""
        if not len(examples):
            return
        self._learned += len(examples)
        snapshot = self._learner.learn(examples, self._learned)
        if snapshot is not None:
            self.snapshot = snapshot
            self._scorer = scorer(snapshot, FEATURES)


def _events(decoded: Decoded) -> Events:
    order = np.argsort(decoded.rows["created"], kind="stable")
    positions = order.tolist()
    columns = (decoded.cards, decoded.merchants, decoded.tails)
    lists = tuple([column[i] for i in positions] for column in columns)
    return Events(decoded.rows["created"][order], decoded.rows[order], lists)
