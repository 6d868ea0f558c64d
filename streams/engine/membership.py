"""Which tasks this worker has: rebalances, companion partitions, restores.

The group assigns partitions of `charges` alone. A task takes the partitions of the same number of
the other inputs along, so tasks move whole and need no assignor of their own. A task that comes is
opened and restored beside the running ones; nothing of it is fetched before it is ready.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from confluent_kafka import Consumer, TopicPartition

from streams.engine.committed_offsets import GroupOffsets
from streams.engine.restore import Progress, RestoreStoppedError, restore
from streams.engine.standby import Standbys
from streams.engine.task import Task
from streams.kafka.clients import Clients
from streams.kafka.partition_reader import Follower
from streams.kafka.partition_watch import PartitionWatch
from streams.state.store import Store

logger = logging.getLogger(__name__)

Positions = dict[str, int]


class LetGo(Protocol):
    """Settles the work in hand before tasks leave."""

    def __call__(self, *, is_lost: bool) -> None:
        """Commit the work, or undo it when the tasks are lost already."""


@dataclass(frozen=True, slots=True)
class TaskFactory:
    """How the tasks of an application are made.

    Attributes
    ----------
    open_store
        Opens the local store of a task by its number.
    new_task
        Puts a task together above its restored store.
    """

    open_store: Callable[[int], Store]
    new_task: Callable[[int, Store], Task]


@dataclass(frozen=True, slots=True)
class _Opening:
    member_id: str
    progress: Progress
    done: Future[tuple[Task, Positions]]


class Membership:
    """Keeps the tasks in step with the group's assignment.

    Parameters
    ----------
    consumer
        The group's member.
    group
        The group's name.
    decided_after_s
        Seconds after which every transaction has ended.
    topic_of
        Topic of each source of a task, `charges` being one.
    clients
        Makes the clients that restore.
    changelog
        Topic of the changelog.
    factory
        Makes tasks.
    let_go
        Called before tasks leave.
    standbys
        The copies of other tasks that are kept here.
    watch
        Knows which partitions are there for good.

    Attributes
    ----------
    tasks
        The running tasks by number.
    has_joined
        Whether the group has given this worker its tasks, if only none.
    """

    def __init__(
        self,
        consumer: Consumer,
        group: str,
        decided_after_s: float,
        topic_of: Mapping[str, str],
        clients: Clients,
        changelog: str,
        factory: TaskFactory,
        let_go: LetGo,
        standbys: Standbys,
        watch: PartitionWatch,
    ) -> None:
        self.tasks: dict[int, Task] = {}
        self.has_joined = False
        self._consumer = consumer
        self._group_offsets = GroupOffsets(clients, group, decided_after_s)
        self._topic_of = topic_of
        self._clients = clients
        self._changelog = changelog
        self._factory = factory
        self._let_go = let_go
        self._standbys = standbys
        self._watch = watch
        self._opening: dict[int, _Opening] = {}
        self._opener = clients.executor("restore")

    @property
    def restoring(self) -> dict[int, Progress]:
        """Return the progress of the tasks that are not running yet."""
        return {number: opening.progress for number, opening in list(self._opening.items())}

    def join(self, topic: str) -> None:
        """Join the group; what follows happens inside the consumer's polls."""
        self._consumer.subscribe(
            [topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def start_restored(self) -> Iterator[Task]:
        """Start the tasks whose restore has ended.

        A worker without running tasks waits for all of them: one that began alone would be ahead
        of the others in event time, and its merchants would see their charges out of order.

        Raises
        ------
        StateLostError
            When a task has offsets but no state.
        """
        if not self.tasks and not all(o.done.done() for o in self._opening.values()):
            return
        for number, opening in list(self._opening.items()):
            if opening.done.done():
                task, positions = opening.done.result()
                task.member_id = opening.member_id
                del self._opening[number]
                self._consumer.incremental_assign(
                    [self._partition(source, number, at) for source, at in positions.items()]
                )
                task.start(positions)
                self.tasks[number] = task
                yield task

    def reopen(self, numbers: Sequence[int]) -> None:
        """Close running tasks and open them anew: the changelog knows what has been committed."""
        self._close_tasks(numbers)
        self._open_tasks(numbers)

    def close_tasks(self) -> None:
        """Close all tasks; their partitions are left to the consumer, which is closed next."""
        self._close_stores([*self.tasks, *self._opening])

    def close(self) -> None:
        """Close what the consumer may have been given in its last moments, and wait for it."""
        self.close_tasks()
        self._opener.shutdown()
        self._group_offsets.close()

    def _on_assign(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        consumer.incremental_assign([])  # each task's partitions follow when it is restored
        numbers = self._watch.own([partition.partition for partition in partitions])
        if numbers:
            logger.info("tasks assigned: %s", numbers)
        self._open_tasks(numbers)
        self.has_joined = True  # last: by then it shows that they are being restored

    def _open_tasks(self, numbers: Sequence[int]) -> None:
        now, member_id = self._clients.clock(), self._consumer.memberid() or ""
        for number in numbers:
            progress = Progress()
            done = self._opener.submit(self._open, number, now, progress)
            self._opening[number] = _Opening(member_id, progress, done)

    def _open(self, number: int, since: float, progress: Progress) -> tuple[Task, Positions]:
        """Open and restore a task that was assigned at a time; return it and where to go on."""
        self._standbys.take_over(number)
        store = self._factory.open_store(number)
        try:
            offsets = self._offsets(number, since, progress)
            follower = Follower(self._clients, self._changelog, number)
            try:
                restore(store, follower, number, progress, offsets)
                task = self._factory.new_task(number, store)
                return task, task.stored_positions() or self._beginnings(number)
            finally:
                follower.close()
        except BaseException:
            store.close()
            raise

    def _offsets(self, number: int, since: float, progress: Progress) -> Positions:
        """Ask for the group's offset of each source; it must come before the restore."""
        offsets = self._group_offsets.decided(self._sources(number), since, progress.stop)
        return dict(zip(self._topic_of, offsets, strict=True))

    def _beginnings(self, number: int) -> Positions:
        """Return where a task begins that has never run: at the first messages there are."""
        beginnings = self._group_offsets.beginnings(self._sources(number))
        return dict(zip(self._topic_of, beginnings, strict=True))

    def _sources(self, number: int) -> list[TopicPartition]:
        return [self._partition(source, number) for source in self._topic_of]

    def _on_revoke(self, _: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self._give_back(partitions, is_lost=False)

    def _on_lost(self, _: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self._give_back(partitions, is_lost=True)

    def _give_back(self, partitions: Sequence[TopicPartition], *, is_lost: bool) -> None:
        numbers = [partition.partition for partition in partitions]
        logger.info("tasks %s: %s", "lost" if is_lost else "revoked", numbers)
        try:
            if any(number in self.tasks for number in numbers):
                self._let_go(is_lost=is_lost)
        finally:  # a task that has left does not run here any more, whatever becomes of its work
            self._close_tasks(numbers)

    def _close_tasks(self, numbers: Sequence[int]) -> None:
        """Close tasks that run or are being opened, and fetch nothing for them any more."""
        running = [number for number in numbers if number in self.tasks]
        self._close_stores(numbers)
        self._consumer.incremental_unassign(
            [self._partition(source, number) for number in running for source in self._topic_of]
        )

    def _close_stores(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            task = self.tasks.pop(number, None)
            if task is not None:
                task.state.store.close()
                self._standbys.let_go(number)
            opening = self._opening.pop(number, None)
            if opening is not None:
                opening.progress.stop.set()
                # Before any later opening of the same number.
                self._opener.submit(self._discard, number, opening)

    def _discard(self, number: int, opening: _Opening) -> None:
        """Close the store of a task that was taken away while it was opened."""
        with suppress(RestoreStoppedError):
            task, _ = opening.done.result()
            task.state.store.close()
        self._standbys.let_go(number)

    def _partition(self, source: str, number: int, offset: int = -1001) -> TopicPartition:
        return TopicPartition(self._topic_of[source], number, offset)
