"""Which tasks this worker has: rebalances, companion partitions, restores.

The group assigns partitions of `charges` alone. A task takes the partitions of the same number of
the other inputs along, so tasks move whole and need no assignor of their own. A task that comes is
opened and restored beside the running ones; nothing of it is fetched before it is ready.
"""

import logging
from collections.abc import Iterator, Sequence

from confluent_kafka import Consumer, TopicPartition

from streams.engine.commits import Commits
from streams.engine.group_member import GroupMember
from streams.engine.opening import TaskOpener
from streams.engine.task import Task
from streams.engine.worker_tasks import WorkerTasks
from streams.kafka.partition_watch import PartitionWatch

logger = logging.getLogger(__name__)


class Membership:
    """Keeps the tasks in step with the group's assignment.

    Parameters
    ----------
    member
        The group's member.
    tasks
        The tasks of this worker.
    commits
        Settles the work in hand before tasks leave.
    opener
        Opens and closes tasks.
    watch
        Knows which partitions are there for good.

    Attributes
    ----------
    has_joined
        Whether the group has given this worker its tasks, if only none.
    """

    def __init__(
        self,
        member: GroupMember,
        tasks: WorkerTasks,
        commits: Commits,
        opener: TaskOpener,
        watch: PartitionWatch,
    ) -> None:
        self.has_joined = False
        self._member = member
        self._tasks = tasks
        self._commits = commits
        self._opener = opener
        self._watch = watch

    def join(self, topic: str) -> None:
        """Join the group; what follows happens inside the consumer's polls."""
        self._member.consumer.subscribe(
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
        restoring = list(self._tasks.restoring.items())
        if not self._tasks.running and not all(task.opened.done() for _, task in restoring):
            return
        for number, opening in restoring:
            if opening.opened.done():
                task, positions = opening.opened.result()
                self._member.assign(number, positions)
                self._tasks.start(task, positions, opening.member_id)
                yield task

    def reopen(self, numbers: Sequence[int]) -> None:
        """Close running tasks and open them anew: the changelog knows what has been committed."""
        self._close_tasks(numbers)
        self._open_tasks(numbers)

    def close_tasks(self) -> None:
        """Close all tasks; their partitions are left to the consumer, which is closed next."""
        self._close_stores([*self._tasks.running, *self._tasks.restoring])

    def close(self) -> None:
        """Close what the consumer may have been given in its last moments, and wait for it."""
        self.close_tasks()
        self._opener.close()

    def _on_assign(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        consumer.incremental_assign([])  # each task's partitions follow when it is restored
        numbers = self._watch.own([partition.partition for partition in partitions])
        if numbers:
            logger.info("tasks assigned: %s", numbers)
        self._open_tasks(numbers)
        self.has_joined = True  # last: by then it shows that they are being restored

    def _open_tasks(self, numbers: Sequence[int]) -> None:
        self._tasks.restore(self._opener.open(numbers, self._member.id()))

    def _on_revoke(self, _: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self._give_back(partitions, is_lost=False)

    def _on_lost(self, _: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self._give_back(partitions, is_lost=True)

    def _give_back(self, partitions: Sequence[TopicPartition], *, is_lost: bool) -> None:
        numbers = [partition.partition for partition in partitions]
        logger.info("tasks %s: %s", "lost" if is_lost else "revoked", numbers)
        try:
            if any(number in self._tasks.running for number in numbers):
                self._commits.conclude(is_lost=is_lost)
        finally:  # a task that has left does not run here any more, whatever becomes of its work
            self._close_tasks(numbers)

    def _close_tasks(self, numbers: Sequence[int]) -> None:
        """Close tasks that run or are being opened, and fetch nothing for them any more."""
        running = [number for number in numbers if number in self._tasks.running]
        self._close_stores(numbers)
        self._member.unassign(running)

    def _close_stores(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            task, restoring = self._tasks.remove(number)
            if task is not None:
                self._opener.close_task(task)
            if restoring is not None:
                self._opener.give_up(number, restoring)
