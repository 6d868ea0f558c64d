"""Which tasks this worker has: rebalances, companion partitions, restores.

The group assigns partitions of `charges` alone. A task takes the partitions of the same number of
the other inputs along, so tasks move whole and need no assignor of their own.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from confluent_kafka import Consumer, TopicPartition

from streams.errors import OperationalError
from streams.restore import RestoreStoppedError, restore
from streams.task import Task

logger = logging.getLogger(__name__)

_ANSWER_S = 30.0


class StateLostError(OperationalError):
    """The group has offsets for a task whose changelog is gone."""


class LetGo(Protocol):
    """Settles the work in hand before tasks leave."""

    def __call__(self, *, is_lost: bool) -> None:
        """Commit the work, or undo it when the tasks are lost already."""


@dataclass(slots=True)
class _Restoring:
    task: Task
    assigned: dict[str, int]
    is_new: bool
    stop: Event
    done: Future[int]


class Membership:
    """Keeps the tasks in step with the group's assignment.

    Parameters
    ----------
    consumer
        The group's member.
    topic_of
        Topic of each source of a task, `charges` being one.
    config
        Client settings, for the restores.
    changelog
        Topic of the changelog.
    open_task
        Opens a task by its number.
    let_go
        Called before tasks leave.
    """

    def __init__(
        self,
        consumer: Consumer,
        topic_of: Mapping[str, str],
        config: Mapping[str, object],
        changelog: str,
        open_task: Callable[[int], Task],
        let_go: LetGo,
    ) -> None:
        self.tasks: dict[int, Task] = {}
        self.has_joined = False
        self._consumer = consumer
        self._topic_of = topic_of
        self._config = config
        self._changelog = changelog
        self._open_task = open_task
        self._let_go = let_go
        self._restoring: dict[int, _Restoring] = {}
        self._restorer = ThreadPoolExecutor(1, "restore")

    def join(self, topic: str) -> None:
        """Join the group; what follows happens inside the consumer's polls."""
        self._consumer.subscribe(
            [topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def start_restored(self) -> Iterator[Task]:
        """Start the tasks whose restore has ended.

        Raises
        ------
        StateLostError
            When a task has offsets but no state.
        """
        for number, restoring in list(self._restoring.items()):
            if restoring.done.done():
                restoring.done.result()
                del self._restoring[number]
                self._start(restoring)
                yield restoring.task

    def close(self) -> None:
        """Wait for what still runs."""
        self._restorer.shutdown()

    def _start(self, restoring: _Restoring) -> None:
        task = restoring.task
        positions = task.stored_positions()
        if positions is None and not restoring.is_new:
            raise StateLostError(
                f"task {task.number} has committed offsets but no state: was {self._changelog} "
                "deleted? Restore the topic, or reset the application to begin anew"
            )
        positions = positions or restoring.assigned
        for source, position in positions.items():
            if position != restoring.assigned[source]:  # offsets expire, the state does not
                self._consumer.seek(self._partition(source, task.number, position))
        task.start(positions)
        self._consumer.resume(self._partitions([task.number]))

    def _on_assign(self, _: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self.has_joined = True
        numbers = [partition.partition for partition in partitions]
        if numbers:
            logger.info("tasks assigned: %s", numbers)
        for number in numbers:
            assigned, is_new = self._first_offsets(number)
            task = self.tasks[number] = self._open_task(number)
            self._consumer.incremental_assign(
                [self._partition(source, number, offset) for source, offset in assigned.items()]
            )
            self._consumer.pause(self._partitions([number]))
            stop = Event()
            done = self._restorer.submit(
                restore, task.state.store, self._config, self._changelog, number, stop
            )
            self._restoring[number] = _Restoring(task, assigned, is_new, stop, done)

    def _first_offsets(self, number: int) -> tuple[dict[str, int], bool]:
        """Return the group's offset of each source, the first there is where it has none.

        Asking waits for transactions that carry offsets of these partitions, so what an earlier
        owner has committed is in the changelog when the restore begins.
        """
        asked = self._partitions([number])
        committed = self._consumer.committed(asked, timeout=_ANSWER_S)
        offsets = dict(
            zip(self._topic_of, (partition.offset for partition in committed), strict=True)
        )
        is_new = all(offset < 0 for offset in offsets.values())
        for source, partition in zip(self._topic_of, asked, strict=True):
            if offsets[source] < 0:
                low, _ = self._consumer.get_watermark_offsets(partition, timeout=_ANSWER_S)
                offsets[source] = low
        return offsets, is_new

    def _on_revoke(self, _: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self._give_back(partitions, is_lost=False)

    def _on_lost(self, _: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self._give_back(partitions, is_lost=True)

    def _give_back(self, partitions: Sequence[TopicPartition], *, is_lost: bool) -> None:
        numbers = [partition.partition for partition in partitions]
        logger.info("tasks %s: %s", "lost" if is_lost else "revoked", numbers)
        self._let_go(is_lost=is_lost)
        for number in numbers:
            task = self.tasks.pop(number)
            restoring = self._restoring.pop(number, None)
            if restoring is not None:
                restoring.stop.set()
                error = restoring.done.exception()
                if error is not None and not isinstance(error, RestoreStoppedError):
                    raise error
            task.state.store.close()
        self._consumer.incremental_unassign(self._partitions(numbers))

    def _partitions(self, numbers: Sequence[int]) -> list[TopicPartition]:
        return [
            TopicPartition(topic, number) for number in numbers for topic in self._topic_of.values()
        ]

    def _partition(self, source: str, number: int, offset: int) -> TopicPartition:
        return TopicPartition(self._topic_of[source], number, offset)
