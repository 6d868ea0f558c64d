"""Opening the tasks that come to this worker, and closing those that leave it.

A task that comes is opened and restored in a thread, beside the running ones.
"""

from collections.abc import Sequence
from contextlib import suppress

from streams.engine.application import TaskFactory
from streams.engine.committed_offsets import GroupOffsets
from streams.engine.group_member import TaskTopics
from streams.engine.restore import Progress, RestoreStoppedError, restore
from streams.engine.standby import Standbys
from streams.engine.task import Task
from streams.engine.worker_tasks import Positions, RestoringTask
from streams.kafka.clients import Clients
from streams.kafka.partition_reader import PartitionReader


class TaskOpener:
    """Opens tasks in a thread of its own, and closes them.

    Parameters
    ----------
    clients
        Makes the clients that restore.
    topics
        Topics of the tasks.
    group_offsets
        Tells the offsets of the group; closed with this.
    factory
        Makes tasks.
    standbys
        The copies of other tasks that are kept here.
    """

    def __init__(
        self,
        clients: Clients,
        topics: TaskTopics,
        group_offsets: GroupOffsets,
        factory: TaskFactory,
        standbys: Standbys,
    ) -> None:
        self._clients = clients
        self._topics = topics
        self._group_offsets = group_offsets
        self._factory = factory
        self._standbys = standbys
        self._executor = clients.executor("restore")

    def open(self, numbers: Sequence[int], member_id: str) -> dict[int, RestoringTask]:
        """Begin to open and restore tasks that were given to a member of the group."""
        opening: dict[int, RestoringTask] = {}
        now = self._clients.clock()
        for number in numbers:
            progress = Progress()
            opened = self._executor.submit(self._open, number, now, progress)
            opening[number] = RestoringTask(member_id, progress, opened)
        return opening

    def close_task(self, task: Task) -> None:
        """Close the store of a task that runs no more."""
        task.state.store.close()
        self._standbys.let_go(task.number)

    def give_up(self, number: int, restoring: RestoringTask) -> None:
        """Stop a restore, and close the task before any later opening of the same number."""
        restoring.progress.stop.set()
        self._executor.submit(self._discard, number, restoring)

    def close(self) -> None:
        """Wait for the thread, and close its clients."""
        self._executor.shutdown()
        self._group_offsets.close()

    def _open(self, number: int, since: float, progress: Progress) -> tuple[Task, Positions]:
        """Open and restore a task that was assigned at a time; return it and where to go on."""
        self._standbys.take_over(number)
        store = self._factory.open_store(number)
        try:
            offsets = self._offsets(number, since, progress)
            reader = PartitionReader(self._clients, self._topics.changelog, number)
            try:
                restore(store, reader, number, progress, offsets)
                task = self._factory.new_task(number, store)
                return task, self._positions(task, offsets)
            finally:
                reader.close()
        except BaseException:
            store.close()
            raise

    def _offsets(self, number: int, since: float, progress: Progress) -> Positions:
        """Ask for the group's offset of each source; it must come before the restore."""
        partitions = self._topics.partitions(number)
        offsets = self._group_offsets.committed_offsets(partitions, since, progress.stop)
        return dict(zip(self._topics.inputs, offsets, strict=True))

    def _positions(self, task: Task, offsets: Positions) -> Positions:
        """Return where a restored task goes on.

        Where the version that wrote its state had no such source, that is at the group's offset, or
        else at its first message.
        """
        stored = task.stored_positions() or {}
        if stored.keys() >= self._topics.inputs.keys():
            return stored
        first = self._beginnings(task.number)
        of_group = {source: offset for source, offset in offsets.items() if stored and offset >= 0}
        return first | of_group | stored

    def _beginnings(self, number: int) -> Positions:
        """Return where a task begins that has never run: at the first messages there are."""
        beginnings = self._group_offsets.beginnings(self._topics.partitions(number))
        return dict(zip(self._topics.inputs, beginnings, strict=True))

    def _discard(self, number: int, restoring: RestoringTask) -> None:
        """Close the store of a task that was taken away while it was opened."""
        with suppress(RestoreStoppedError):
            task, _ = restoring.opened.result()
            task.state.store.close()
        self._standbys.let_go(number)
