"""The stream engine: fetches what is next, writes what comes of it, and commits both as one.

It is used from one thread at a time, in turns: `fetch`, the agents' work, `commit` when it is due.
Rebalances are served inside `fetch`, so between two batches and never within one.
"""

import logging
from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaError, Message, TopicPartition

from streams.clients import Attempt, Clients
from streams.engine_settings import EngineSettings
from streams.errors import OperationalError
from streams.inputs import Inputs, Work
from streams.membership import Membership, TaskFactory
from streams.partitioner import partitions_of
from streams.patience import StoppedError
from streams.producer import AbortableError, OutputProducer, UnknownOutcomeError
from streams.restore import Progress
from streams.standby import Standbys
from streams.task import BY_MERCHANT, CHARGES, DISPUTES, Task
from streams.topics import Topics
from streams.unassigned import UnassignedTasks

logger = logging.getLogger(__name__)

_ANSWER_S = 2.0  # after which it is asked again
_LEAVE_S = 2.0
_ABORTED_WITHIN_S = 20.0  # of its timeout, a transaction that was left open


class RefusedError(OperationalError):
    """Kafka refuses what this worker asks for, and waiting does not help."""


class OffsetLostError(OperationalError):
    """Input that does not count yet has been deleted from its topic."""


class Engine:
    """Runs the tasks this worker is given.

    Parameters
    ----------
    settings
        How it works.
    topics
        The names of the topics.
    clients
        Makes its Kafka clients.
    producer
        Writes everything.
    factory
        Makes the tasks.
    """

    def __init__(
        self,
        settings: EngineSettings,
        topics: Topics,
        clients: Clients,
        producer: OutputProducer,
        factory: TaskFactory,
    ) -> None:
        self._topics = topics
        self._clients = clients
        self._producer = producer
        self._settings = settings
        self._topic_of = {
            CHARGES: topics.charges,
            DISPUTES: topics.disputes,
            BY_MERCHANT: topics.by_merchant,
        }
        member = settings.member()
        self._consumer = clients.consumer(member, self._say)
        self._unassigned = UnassignedTasks(clients, member, topics.charges, self._consumer.memberid)
        self._standbys = Standbys(
            clients,
            settings.application_id,
            topics.changelog,
            settings.standby_replicas,
            factory.open_store,
            self._consumer.memberid,
        )
        self._membership = Membership(
            self._consumer,
            settings.application_id,
            settings.session_timeout_ms / 1e3 + _ABORTED_WITHIN_S,
            self._topic_of,
            clients,
            topics.changelog,
            factory,
            self._let_go,
            self._standbys,
        )
        self._inputs = Inputs(
            self._consumer,
            self._topic_of,
            settings.max_batch,
            settings.max_buffered,
            settings.future_allowance_s,
            clients.clock,
        )
        self._is_cut_off = False
        self._partitions = 0
        self._frames_sent: dict[int, int] = {}
        self._frames_reach: dict[int, int] = {}
        self._to_seek: dict[int, dict[str, int]] = {}

    @property
    def tasks(self) -> Mapping[int, Task]:
        """The running tasks of this worker, by number."""
        return self._membership.tasks

    @property
    def restoring(self) -> Mapping[int, Progress]:
        """How far the tasks are that do not run yet."""
        return self._membership.restoring

    @property
    def copied(self) -> list[int]:
        """Numbers of the tasks of others whose state is copied here."""
        return self._standbys.numbers

    @property
    def taken(self) -> int:
        """Sum of the positions of all inputs, which changes when anything is taken."""
        return sum(sum(task.positions().values()) for task in self.tasks.values())

    @property
    def lag(self) -> int:
        """Messages that wait, as far as is known; 0 while no broker can be reached."""
        if self._is_cut_off:
            return 0
        return sum(buffer.lag for task in self.tasks.values() for buffer in task.buffers.values())

    @property
    def is_ready(self) -> bool:
        """Whether the group has given this worker its tasks, if only none, and they all run."""
        return self._membership.has_joined and not self.restoring

    def start(self) -> None:
        """Join the group."""
        self._membership.join(self._topics.charges)
        if self._settings.standby_replicas:
            self._standbys.start()
        self._unassigned.start()

    def fetch(self, timeout_s: float) -> Work:
        """Wait for input, serve rebalances, and take what is next in event time.

        Raises
        ------
        OffsetLostError
            When input has been deleted before it counted.
        RefusedError
            When the group or the broker wants nothing of this worker any more.
        """
        first = self._consumer.poll(timeout_s)
        if first is not None:
            self._is_cut_off = False
            rest = self._consumer.consume(self._settings.max_batch, timeout=0)
            self._sort_in([first, *rest])
        self._seek_back()
        for task in self._membership.start_restored():
            logger.info("task %d: running", task.number)
        return self._inputs.take(list(self.tasks.values()), self._frames_reach)

    def send_frames(self, merchants: Sequence[bytes], frames: Sequence[bytes]) -> None:
        """Send frames on to the merchant stage, and remember how far its partitions then reach."""
        if not self._partitions:
            described = self._clients.patience.ask(
                lambda: self._consumer.list_topics(self._topics.by_merchant, timeout=_ANSWER_S)
            )
            self._partitions = len(described.topics[self._topics.by_merchant].partitions)
        batches: list[list[tuple[bytes, bytes]]] = [[] for _ in range(self._partitions)]
        partitions = partitions_of(merchants, self._partitions)
        for merchant, frame, partition in zip(merchants, frames, partitions, strict=True):
            batches[partition].append((merchant, frame))
        for partition, batch in enumerate(batches):
            self._producer.send(self._topics.by_merchant, batch, partition, self._frames_sent)

    def commit(self) -> bool:
        """Make the work since the last commit count: outputs, state and positions as one.

        1. Every changed task puts its changed records and its positions into its changelog.
        2. The positions go into the transaction as the group's offsets, which is where the
           broker refuses a worker that has lost its tasks. Those of unchanged tasks do not:
           offsets without a state behind them would look like a state that was lost.
        3. The transaction is committed.
        4. Every changed task writes its changes to its store.

        When the transaction fails, everything since the last commit is undone, and False returned.
        When it is not known whether it did, the tasks start again from what their changelogs say.
        """
        dirty = [task for task in self.tasks.values() if task.is_dirty]
        reached: dict[int, int] = {}
        offsets = [
            TopicPartition(self._topic_of[source], task.number, position)
            for task in dirty
            for source, position in task.positions().items()
        ]
        try:
            self._producer.deliver()  # or a changelog could count what never came out
            for task in dirty:
                task.seal()
                changes = list(task.state.changes().items())
                self._producer.send(self._topics.changelog, changes, task.number, reached)
            self._producer.commit(offsets, self._consumer)
        except UnknownOutcomeError as error:
            logger.warning("the commit may have failed, its tasks are opened anew: %s", error)
            self._producer.abort()
            self._frames_sent.clear()
            self._membership.reopen([task.number for task in dirty])
            return False
        except AbortableError as error:
            logger.warning("the commit failed, its work is done again: %s", error)
            self.abort()
            return False
        for task in dirty:
            task.commit(reached[task.number])
        self._frames_reach |= self._frames_sent
        return True

    def abort(self) -> None:
        """Undo everything since the last commit; it is fetched again."""
        self._producer.abort()
        self._frames_sent.clear()
        for task in self.tasks.values():
            if task.is_dirty:
                self._to_seek[task.number] = task.roll_back()

    def close(self) -> None:
        """Commit, give the tasks back, and leave the group.

        All that matters comes before the consumer is told to close: in its last moments it may not
        know any more which member it was, and it waits 5 s for a broker that does not answer.
        """
        self._unassigned.close()
        self._let_go(is_lost=False)
        self._membership.close_tasks()
        if not Attempt(self._clients, self._consumer.close).has_ended(_LEAVE_S):
            logger.warning("Kafka does not answer: the group hears by its own means that we left")
        self._membership.close()
        if self._settings.standby_replicas:
            self._standbys.close()

    def _let_go(self, *, is_lost: bool) -> None:
        """Settle before tasks leave: a lost task must not be written for any more."""
        if is_lost:
            self.abort()
            return
        try:
            self.commit()
        except StoppedError as error:
            logger.warning("the last commit is missing, its work will be done again: %s", error)

    def _sort_in(self, messages: Sequence[Message]) -> None:
        """Put messages into the buffers of the tasks they are for.

        A rebalance during the fetch may have undone the work of tasks. What was fetched for them
        comes again, as their positions are only set back afterwards.
        """
        tasks = {n: task for n, task in self.tasks.items() if n not in self._to_seek}
        self._inputs.add(tasks, (message for message in messages if message.error() is None))
        for message in messages:
            error = message.error()
            if error is None:
                continue
            if error.code() == KafkaError._PARTITION_EOF:
                self._inputs.note_end(tasks, message)
            elif error.code() in _LOST:
                raise OffsetLostError(
                    f"{message.topic()}[{message.partition()}]: input was deleted before it was "
                    "processed (retention too short?); reset the application to go on without it"
                )
            elif error.fatal() or error.code() == KafkaError._FATAL:
                raise RefusedError(self._fatal(error))
            elif error.code() in _REFUSED:
                raise RefusedError(f"Kafka refuses {message.topic()}: {error.str()}")
            else:
                logger.warning("fetching: %s", error.str())

    def _fatal(self, error: KafkaError) -> str:
        """Say why the consumer has ended for good."""
        name = self._settings.instance_id
        if not name:
            return f"the Kafka client has ended for good: {error.str()}"
        return (
            f"instance_id: another member of the group has taken {name!r}; give each its own, "
            f"and start again one that was only cut off for longer than its session ({error.str()})"
        )

    def _say(self, error: KafkaError) -> None:
        """Say what the client waits for; it goes on by itself when that is back."""
        self._is_cut_off = self._is_cut_off or error.code() == KafkaError._ALL_BROKERS_DOWN
        logger.warning("Kafka: %s", error.str())

    def _seek_back(self) -> None:
        """Fetch again what was undone, where the task is still here."""
        for number, positions in self._to_seek.items():
            if number in self.tasks:
                for source, position in positions.items():
                    partition = TopicPartition(self._topic_of[source], number, position)
                    self._consumer.seek(partition)
                    self._consumer.resume([partition])
        self._to_seek.clear()


_LOST = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)
_REFUSED = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)
