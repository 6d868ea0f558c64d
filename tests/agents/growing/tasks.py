"""An installation of several tasks in memory, fed a message at a time, that can grow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from agents.growing.moves import Moves
from agents.growing.places import Growth
from agents.growing.standing import new_standing
from agents.models.prior import PriorScorer
from agents.settings.schema import Settings
from agents.shared_entities.scattering import Scatter
from agents.stages.tasks import TaskStages, bare_policy, features_of, new_task
from streams.events.batch import RowBatch
from streams.kafka.partitioner import partitions_of
from streams.state.store import KeyRange, MemoryStore
from streams.wire.entity_events import entity_partitions
from streams.wire.examples import BY_DISPUTE, BY_SILENCE
from tests.agents.stages.stages import SCORED_AT, Recording, decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.engine.task import Task
    from streams.events.batch import Batch
    from streams.events.rows import Rows
    from tests.agents.stages.stages import Message

COMMIT_EVERY = 50

Records = dict[bytes, bytes]


class Tasks:
    """Tasks and what came out of them.

    Attributes
    ----------
    vectors
        What each charge was scored by, by its id; that of a duplicate behind the first.
    events
        Their scored events.
    positives, negatives
        Hashes of the charges that were learned as frauds, and as genuine.
    rejected
        Reasons.
    """

    def __init__(self, count: int, **settings: Any) -> None:
        self.settings = Settings(
            label_horizon_days=4.0, negative_rate=0.5, cache_records=1000, **settings
        )
        self.stores = [MemoryStore() for _ in range(count)]
        self.vectors: dict[str, list[np.ndarray[Any, Any]]] = {}
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.positives, self.negatives = list[bytes](), list[bytes]()
        self.rejected: list[str] = []
        self._features = features_of(self.settings)
        self._policy = bare_policy(self.settings)
        self._scatter = Scatter(self.settings.entities)
        self._commits = 0
        self._open()

    def feed(self, messages: Iterable[Message]) -> None:
        """Process messages one by one, each to its end, and commit."""
        for number, message in enumerate(messages):
            [task] = self._at([message.key])
            self._count(task, decode([message]))
            if number % COMMIT_EVERY == 0:
                self.commit()
        self.commit()

    def pause(self) -> None:
        """Let no charge come for a while."""
        for task in self._tasks:
            self._count(task, decode([]), is_paused=True)
        self.commit()

    def commit(self) -> None:
        """Have what has changed in the stores."""
        self._commits += 1
        for task in self._tasks:
            task.stages.flush()
            task.state.commit(self._commits)

    def grow(self, count: int) -> list[Moves]:
        """Make the tasks more, until nothing is left to move; return each look at them."""
        growth = Growth(len(self.stores), count)
        self.stores += [MemoryStore() for _ in range(count - len(self.stores))]
        looks: list[Moves] = []
        while not looks or looks[-1].changed:
            looks.append(Moves(self.stores, growth))
            for changes in list(looks[-1]):
                self.write(changes)
        self.write(new_standing(self.stores, growth))
        assert not new_standing(self.stores, growth)
        self._open()
        return looks

    def write(self, changes: Mapping[int, Mapping[bytes, bytes | None]]) -> None:
        """Change the stores."""
        self._commits += 1
        for task, of_task in changes.items():
            self.stores[task].write(of_task, [], self._commits)

    def records(self) -> list[Records]:
        """Return all that is in each task."""
        return [dict(store.scan(KeyRange(b"\x01", b"\xff"))) for store in self.stores]

    def _open(self) -> None:
        self._tasks = [
            new_task(number, store, self.settings) for number, store in enumerate(self.stores)
        ]

    def _at(self, keys: list[bytes]) -> list[Task]:
        return [self._tasks[place] for place in partitions_of(keys, len(self._tasks)).tolist()]

    def _count(self, task: Task, batch: Batch, *, is_paused: bool = False) -> None:
        counted = stages_of(task).card.process(batch, is_paused=is_paused)
        self._reject(counted.rejected)
        frames, times = counted.frames, counted.times
        for place in range(len(frames)):
            frame = frames.part(place, place + 1)
            scattered = self._scatter(frame, times[place : place + 1])
            parts = self._tell(scattered.events)
            [at] = self._at(frame.merchants)
            batches: list[Batch] = [frame, RowBatch(parts)] if len(parts) else [frame]
            self._score(at, batches)

    def _tell(self, events: Rows) -> Rows:
        """Tell shared entities, and return what they answer."""
        places = entity_partitions(events["entity"], events["key"], len(self._tasks)).tolist()
        answers = [
            stages_of(self._tasks[place]).entities.process(events[i : i + 1]).parts
            for i, place in enumerate(places)
        ]
        return np.concatenate(answers) if answers else events[:0]

    def _score(self, task: Task, batches: list[Batch]) -> None:
        stages = stages_of(task)
        gathered = stages.gathering.take(batches)
        scorer = Recording(PriorScorer(self._features), len(self._features))
        output = stages.merchant.process(
            gathered.frames, scorer, self._policy, lambda: SCORED_AT, shared=gathered.shared
        )
        self._tell(output.entity_events)
        self._reject(output.rejected)
        for event, vector in zip(map(orjson.loads, output.scored), scorer.vectors, strict=True):
            self.vectors.setdefault(event["charge"], []).append(vector)
            self.events.setdefault(event["charge"], []).append(event)
        learned = output.examples
        for source, hashes in ((BY_DISPUTE, self.positives), (BY_SILENCE, self.negatives)):
            hashes += [row.tobytes() for row in learned["charge"][learned["source"] == source]]

    def _reject(self, rejected: Iterable[Any]) -> None:
        self.rejected += [dict(one.headers)["error"].decode() for one in rejected]


def stages_of(task: Task) -> TaskStages:
    """Return what computes in a task."""
    assert isinstance(task.stages, TaskStages)
    return task.stages
