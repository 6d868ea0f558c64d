"""The commit: outputs, state and positions of all tasks count as one, while the next turns go on.

::

    turns   ──▶ begin ──▶ further work, its outputs held back ──▶ settle ──▶ ...
                  └▶ prepare ▶ commit ▶ stores, in a thread ─────────┘
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from streams.engine.application import Observer
from streams.engine.direct_path import DirectPath, pass_by
from streams.engine.group_member import GroupMember
from streams.engine.task import BY_ENTITY, BY_MERCHANT, Task
from streams.engine.worker_tasks import WorkerTasks
from streams.kafka.clients import Clients
from streams.kafka.retry import StoppedError
from streams.kafka.transactional_producer import (
    AbortableError,
    Outputs,
    TransactionalProducer,
    UnknownOutcomeError,
)

if TYPE_CHECKING:
    from concurrent.futures import Future

logger = logging.getLogger(__name__)


class Commits:
    """Commits the work of the running tasks, one commit after the other.

    Parameters
    ----------
    clients
        Runs what goes on beside the turns.
    member
        The group's member.
    producer
        Has the outputs, and writes the changelogs.
    tasks
        The tasks of this worker, which are told what becomes of their work.
    direct_path
        Tells whether the stages have been handed what they were sent.
    observer
        Hears of it.

    Attributes
    ----------
    sent
        By source, offsets that partitions of the merchant and entity stages reach with what was
        sent on.
    reach
        Those that can be seen, or are about to.
    """

    def __init__(
        self,
        clients: Clients,
        member: GroupMember,
        producer: TransactionalProducer,
        tasks: WorkerTasks,
        direct_path: DirectPath,
        observer: Observer,
    ) -> None:
        self.sent: dict[str, dict[int, int]] = {BY_MERCHANT: {}, BY_ENTITY: {}}
        self.reach: dict[str, dict[int, int]] = {BY_MERCHANT: {}, BY_ENTITY: {}}
        self._clients = clients
        self._member = member
        self._producer = producer
        self._tasks = tasks
        self._direct_path = direct_path
        self._observer = observer
        self._executor = clients.executor("commit")
        self._ending: Future[None] | None = None

    def begin(self) -> None:
        """Begin to make the work since the last commit count, once that has ended.

        1. Every changed task seals its changes: what is done from now on belongs to the next
           commit. The rest goes on in a thread of its own.
        2. The changes of each, its positions among them, go into its changelog.
        3. The positions go into the transaction as the group's offsets, which is where the
           broker refuses a worker that has lost its tasks. Those of unchanged tasks do not:
           offsets without a state behind them would look like a state that was lost.
        4. The transaction is committed.
        5. Every changed task writes its changes to its store.

        Tasks that were given to this worker as a former member of the group are in doubt instead.
        Of what stages were handed the offsets are only known once the broker has it.

        Raises
        ------
        AbortableError
            When the broker does not take it.
        """
        self.settle()
        self._producer.release()  # if the one before was given up half way
        dirty = self._tasks.dirty
        if not dirty:
            return
        group = self._member.consumer.consumer_group_metadata()
        if former := self._given_to_a_former_member(dirty):
            numbers = [task.number for task in former]
            logger.warning("tasks %s may have been elsewhere and are opened anew", numbers)
            self._tasks.doubt(former)
            self.abort()
            return
        if self._direct_path.is_open:
            self._producer.await_reached()
            if not pass_by(dirty, self.sent):
                logger.warning("others have written between the stages: work is done again")
                self.abort()
                return
        reached: dict[int, int] = {}
        topics = self._member.topics
        offsets = [
            partition for task in dirty for partition in topics.at(task.number, task.positions())
        ]
        changelogs = [
            Outputs(topics.changelog, list(task.seal().items()), task.number, reached)
            for task in dirty
        ]
        self._observer.sealed()
        self._producer.hold()

        def end() -> None:
            self._producer.prepare(changelogs, offsets, group)
            for source, offsets_sent in self.sent.items():
                self.reach[source] |= offsets_sent  # before anybody can see them
            self._producer.commit(offsets, self._member.consumer)
            for task in dirty:
                task.write(reached[task.number])
            logger.debug("committed: changelogs reach %s", reached)
            self._observer.committed()

        self._ending = self._executor.submit(end)

    def settle_if_ended(self) -> None:
        """Settle the commit under way if it has ended."""
        if self._ending is not None and self._ending.done():
            self.settle()

    def settle(self) -> None:
        """Wait for the commit under way, if there is one.

        When it has failed, all work since the one before is undone. When it is not known whether it
        has, its tasks are in doubt.

        Raises
        ------
        AbortableError
            When what was held back cannot be sent.
        NotDeliveredError
            When the broker has refused an output.
        StoppedError
            When the broker does not answer and the worker stops.
        """
        if self._ending is None:
            return
        ending, self._ending = self._ending, None
        sealed = self._tasks.sealed
        try:
            self._clients.outcome(ending)
        except UnknownOutcomeError as error:
            logger.warning("the commit may have failed, its tasks are opened anew: %s", error)
            self._tasks.doubt(sealed)
            self.abort()
        except AbortableError as error:
            logger.warning("the commit failed, its work is done again: %s", error)
            self.abort()
        except BaseException:
            for task in sealed:
                task.unseal()
            raise
        else:
            for task in sealed:
                task.settle()
            self._producer.release()

    def abort(self) -> None:
        """Undo everything since the last commit.

        The tasks come first: what is left of a transaction that cannot be aborted now never counts.

        Raises
        ------
        StoppedError
            When the broker does not answer and the worker stops.
        """
        self.settle()
        self._direct_path.close()
        for offsets_sent in self.sent.values():
            offsets_sent.clear()
        self._tasks.roll_back()
        self._observer.undone()
        self._producer.abort()

    def conclude(self, *, is_lost: bool) -> None:
        """Settle before tasks leave: a lost task must not be written for any more."""
        if is_lost:
            self.abort()
            return
        try:
            self.begin()
            self.settle()
        except AbortableError as error:
            logger.warning("the last commit failed, its work will be done again: %s", error)
            self.abort()
        except StoppedError as error:
            logger.warning("the last commit is missing, its work will be done again: %s", error)

    def close(self) -> None:
        """Wait for the thread."""
        self._executor.shutdown()

    def _given_to_a_former_member(self, tasks: Sequence[Task]) -> list[Task]:
        """Return the tasks that others may have had since they were given to us.

        A static member that the group has forgotten joins as a new one, and is not always told to
        give up what it had (librdkafka 2.16: not if it hears of it when it joins again). The broker
        takes its offsets from then on. Without an id it is no member, and they are refused.
        """
        member_id = self._member.id()  # of later than the metadata that are committed with
        return [task for task in tasks if member_id and task.member_id != member_id]
