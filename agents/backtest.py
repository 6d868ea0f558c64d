"""The backtest: events through the same stages as a worker's, without Kafka.

Every charge is scored with a model that has learned only from labels that were there before it, and
is learned from when its own label would have come: prequential evaluation (Gama, Sebastiao and
Rodrigues 2013, "On evaluating stream learning algorithms").

A worker takes a new model as soon as one has come, which depends on the machine. Here the model
changes at fixed times of the event clock only, so that the same events get the same scores, however
they are cut into batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from agents.card import CardBatch
from agents.learner import LearnerStage
from agents.models.registry import scorer
from agents.tasks import TaskStages
from streams.events import CHARGE, Rows
from streams.features import CARD_FEATURES, FEATURES
from streams.frames import decode_frames
from streams.state import TaskState
from streams.store import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from agents.merchant import MerchantOutput
    from agents.settings import Settings
    from schemas.snapshot import Snapshot
    from streams.intake import Events, Times

MODEL_INTERVAL_S = 600.0
"""Event time between two changes of the model; measured: an hour loses 0.001 of the average
precision, a minute costs a third of the speed and gains nothing."""

_EVENTS_TO_A_COMMIT = 5_000
_CHARGES_BEFORE = [feature.name for feature in CARD_FEATURES].index("card_charges_before")


@dataclass(frozen=True, slots=True)
class Step:
    """What one batch gave.

    Attributes
    ----------
    charges
        EVENT[N] of the charges scored.
    first_of_card
        bool[N], whether the card was new.
    output
        Scored events in the same order, and examples.
    """

    charges: Rows
    first_of_card: NDArray[np.bool_]
    output: MerchantOutput


class Backtest:
    """One task and the learner, over events in the order of their time.

    Parameters
    ----------
    settings
        As for a worker.
    clock
        Gives `scored_at`, Unix seconds.

    Attributes
    ----------
    snapshot
        The newest model, `None` before the first.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self.snapshot: Snapshot | None = None
        self._clock = clock
        self._max_batch = settings.max_batch
        self._state = TaskState(MemoryStore())
        self._stages = TaskStages(self._state, settings)
        self._learner = LearnerStage(None, settings.snapshot_every_examples)
        self._scorer = scorer(None, FEATURES)
        self._interval = 0.0
        self._events = self._committed = 0

    def run(self, events: Events) -> Iterator[Step]:
        """Score and learn batch by batch; no event may be older than those of an earlier call."""
        for start, stop in _batches(events.times, self._max_batch):
            yield self._step(events.part(start, stop))

    def learned(self) -> Snapshot | None:
        """Return all that is learned by now, `None` when no label has come."""
        return self._learner.snapshot() if self._learner.offset > 0 else None

    def _step(self, events: Events) -> Step:
        self._settle_model(float(events.times[0]))
        batch = CardBatch(events.rows, *events.lists)
        frames = decode_frames(self._stages.card.process(batch))
        output = self._stages.merchant.process(batch.merchants, frames, self._scorer, self._clock)
        self._learn(output.examples)
        self._commit(len(events))
        rows = frames.rows[frames.rows["event"]["kind"] == CHARGE]
        return Step(rows["event"], rows["card_features"][:, _CHARGES_BEFORE] == 0.0, output)

    def _settle_model(self, now: float) -> None:
        """Use the newest model when its time has come."""
        interval = now // MODEL_INTERVAL_S
        if interval > self._interval:
            self._interval = interval
            if self.snapshot is not None and self.snapshot.version != self._scorer.version:
                self._scorer = scorer(self.snapshot, FEATURES)

    def _learn(self, examples: Rows) -> None:
        first = self._learner.offset
        due = self._learner.learn(examples, range(first, first + len(examples)))
        if due:
            self.snapshot = due[-1]

    def _commit(self, events: int) -> None:
        """Put what has changed where it is found again, now and then."""
        self._events += events
        if self._events - self._committed >= _EVENTS_TO_A_COMMIT:
            self._committed = self._events
            self._stages.flush()
            self._state.commit(self._events)


def _batches(times: Times, max_batch: int) -> Iterator[tuple[int, int]]:
    """Yield where batches start and stop: never across a change of the model.

    >>> list(_batches(np.array([0.0, 10.0, 599.0, 600.0, 1800.0]), 2))
    [(0, 2), (2, 3), (3, 4), (4, 5)]
    """
    changes = np.flatnonzero(np.diff(times // MODEL_INTERVAL_S)) + 1
    for start, stop in pairwise([0, *changes.tolist(), len(times)]):
        for first in range(start, stop, max_batch):
            yield first, min(first + max_batch, stop)
