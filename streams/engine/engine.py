"""The stream engine: fetches what is next, writes what comes of it, and commits both as one.

It is used from one thread at a time, in turns: `fetch`, the agents' work, `commit` when it is due.
A commit ends in a thread of its own while the next turns go on. Rebalances are served inside
`fetch`, so between two batches and never within one.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from confluent_kafka import KafkaError, Message

from streams.engine.application import Application
from streams.engine.commits import Commits
from streams.engine.committed_offsets import GroupOffsets
from streams.engine.group_member import GroupMember, TaskTopics
from streams.engine.inputs import Inputs, Work
from streams.engine.membership import Membership
from streams.engine.opening import TaskOpener
from streams.engine.restore import Progress
from streams.engine.settings import EngineSettings
from streams.engine.standby import Standbys
from streams.engine.task import BY_ENTITY, BY_MERCHANT, Task
from streams.engine.unassigned_tasks import UnassignedTasks
from streams.engine.worker_tasks import WorkerTasks
from streams.errors import OperationalError
from streams.events.batch import Batch, Times
from streams.events.rows import Rows
from streams.kafka.access import Right, refusal
from streams.kafka.clients import Attempt, Clients
from streams.kafka.partition_watch import PartitionWatch
from streams.kafka.partitioner import partitions_of
from streams.kafka.retry import Outage
from streams.kafka.topics import Topics
from streams.kafka.transactional_producer import TransactionalProducer
from streams.wire.entity_events import entity_partitions
from streams.wire.frames import encode_frames
from streams.wire.row_messages import encode_rows

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
    application
        What runs on it.
    """

    def __init__(
        self,
        settings: EngineSettings,
        topics: Topics,
        clients: Clients,
        producer: TransactionalProducer,
        application: Application,
    ) -> None:
        self._topics = topics
        self._clients = clients
        self._producer = producer
        self._settings = settings
        self._outage = Outage(clients.clock)
        member = settings.member() | clients.statistics.settings("inputs")
        self._consumer = clients.consumer(member, self._outage.hear)
        task_topics = TaskTopics(topics)
        self._member = GroupMember(self._consumer, task_topics)
        self._unassigned = UnassignedTasks(
            clients, settings.member(), topics.charges, self._member.id
        )
        factory = application.factory
        self._standbys = Standbys(
            clients, settings, topics.changelog, factory.open_store, self._member.id
        )
        self._watch = PartitionWatch(clients, topics.of_a_task)
        group_offsets = GroupOffsets(
            clients, settings.application_id, settings.session_timeout_ms / 1e3 + _ABORTED_WITHIN_S
        )
        opener = TaskOpener(clients, task_topics, group_offsets, factory, self._standbys)
        self._tasks = WorkerTasks()
        self._commits = Commits(clients, self._member, producer, self._tasks, application.observer)
        self._membership = Membership(self._member, self._tasks, self._commits, opener, self._watch)
        self._inputs = Inputs(
            self._member,
            settings,
            clients.clock,
            application.layouts,
            application.payloads,
        )
        self._partitions = 0

    @property
    def tasks(self) -> Mapping[int, Task]:
        """The running tasks of this worker, by number."""
        return self._tasks.running

    @property
    def restoring(self) -> Mapping[int, Progress]:
        """How far the tasks are that do not run yet."""
        return self._tasks.progress

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
        """Messages that could be taken, as far as is known; 0 while no broker can be reached."""
        if self._outage.is_complete:
            return 0
        buffers = [buffer for task in self.tasks.values() for buffer in task.buffers.values()]
        return sum(buffer.lag for buffer in buffers if not buffer.held)

    @property
    def is_ready(self) -> bool:
        """Whether the group has given this worker its tasks, if only none, and they all run."""
        return self._membership.has_joined and not self.restoring

    def start(self, kept_partitions: int | None = None) -> None:
        """Join the group; `kept_partitions` is what the state is of, where that is known."""
        self._watch.start(kept_partitions)
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
        RefusedError, NotAllowedError
            When the group or the broker wants nothing of this worker any more.
        TopicsError
            When partitions have been added.
        """
        self._commits.settle_if_ended()
        first = self._consumer.poll(timeout_s)
        self._watch.check()
        if first is not None:
            self._outage.is_complete = False
            rest = self._consumer.consume(self._settings.max_batch, timeout=0)
            self._sort_in([first, *rest])
        self._go_back()
        for task in self._membership.start_restored():
            logger.info("task %d: running", task.number)
        return self._inputs.take(list(self.tasks.values()), self._commits.reach)

    def partitions_of(self, merchants: Sequence[bytes]) -> npt.NDArray[np.int64]:
        """Return i8[N], the partitions of N merchants."""
        return partitions_of(merchants, self._count_partitions())

    def send_frames(self, frames: Batch, times: Times, partitions: npt.NDArray[np.int64]) -> None:
        """Send frames on to the merchant stage, and remember how far its partitions then reach.

        Parameters
        ----------
        frames
            N of them.
        times
            f8[N], by which they are sorted, Unix seconds.
        partitions
            i8[N], those of their merchants.
        """
        for partition, places in _by_partition(partitions, np.argsort(times, kind="stable")):
            messages = encode_frames(frames.at(places))
            self._send_on(BY_MERCHANT, self._topics.by_merchant, messages, partition)

    def send_entity_events(self, events: Rows) -> None:
        """Send ENTITY_EVENT[N] to the entity stage, and remember how far its partitions reach."""
        if not len(events):
            return
        count = self._count_partitions()
        partitions = entity_partitions(events["entity"], events["key"], count)
        for partition, places in _by_partition(partitions, np.arange(len(events))):
            messages = encode_rows(events[places])
            self._send_on(BY_ENTITY, self._topics.by_entity, messages, partition)

    def send_parts(self, parts: Rows, partitions: npt.NDArray[np.int64]) -> None:
        """Send PART[N] to the merchant stage, each to the partition of its charge's merchant.

        Nothing waits for these: what comes next is taken in meanwhile.
        """
        for partition, places in _by_partition(partitions, np.arange(len(parts))):
            messages = [(None, message) for message in encode_rows(parts[places])]
            self._producer.send(self._topics.by_merchant, messages, partition)

    def _send_on(self, source: str, topic: str, messages: Sequence[bytes], partition: int) -> None:
        """Send messages to a stage that is waited for."""
        sent = self._commits.sent[source]
        self._producer.send(topic, [(None, message) for message in messages], partition, sent)

    def _count_partitions(self) -> int:
        """Return how many partitions the topics of the stages have."""
        if not self._partitions:
            described = self._clients.retry.ask(
                lambda: self._consumer.list_topics(self._topics.by_merchant, timeout=_ANSWER_S)
            )
            self._partitions = len(described.topics[self._topics.by_merchant].partitions)
        return self._partitions

    def commit(self) -> None:
        """Make everything since the last commit count; see `Commits.begin`.

        While more than a batch waits, the next turns go on beside the commit. Else it is waited
        for: what they had to send would be held back, and be the later for it.
        """
        self._commits.begin()
        if self._settings.exactly_once and self.lag <= self._settings.max_batch:
            self._commits.settle()

    def abort(self) -> None:
        """Undo everything since the last commit; it is fetched again."""
        self._commits.abort()

    def close(self) -> None:
        """Commit, give the tasks back, and leave the group.

        All that matters comes before the consumer is told to close: in its last moments it may not
        know any more which member it was, and it waits 5 s for a broker that does not answer.
        """
        self._unassigned.close()
        self._watch.close()
        self._commits.conclude(is_lost=False)
        self._membership.close_tasks()
        if not Attempt(self._clients, self._consumer.close).has_ended(_LEAVE_S):
            logger.warning("Kafka does not answer: the group hears by its own means that we left")
        self._membership.close()
        self._commits.close()
        if self._settings.standby_replicas:
            self._standbys.close()

    def _sort_in(self, messages: Sequence[Message]) -> None:
        """Put messages into the buffers of the tasks they are for.

        A rebalance during the fetch may have undone the work of tasks. What was fetched for them
        comes again, as their positions are only set back afterwards.
        """
        tasks = self._tasks.in_step
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
                raise self._refused(error, message.topic() or "")
            else:
                logger.warning("fetching: %s", error.str())

    def _refused(self, error: KafkaError, topic: str) -> OperationalError:
        """Return what says why Kafka does not answer a topic's or the group's requests."""
        needed = (
            Right("Read", "topic", topic),
            Right("Read", "group", self._settings.application_id),
        )
        return refusal(error, self._clients.config, *needed) or RefusedError(
            f"Kafka refuses {topic}: {error.str()}"
        )

    def _fatal(self, error: KafkaError) -> str:
        """Say why the consumer has ended for good."""
        name = self._settings.instance_id
        if not name:
            return f"the Kafka client has ended for good: {error.str()}"
        return (
            f"instance_id: another member of the group has taken {name!r}; give each its own, "
            f"and start again one that was only cut off for longer than its session ({error.str()})"
        )

    def _go_back(self) -> None:
        """Fetch again what was undone, and open anew what is in doubt, where it is still here."""
        if in_doubt := self._tasks.in_doubt:
            self._membership.reopen(in_doubt)
        for number, positions in self._tasks.undone.items():
            self._member.seek(number, positions)
        self._tasks.forget_undone()


def _by_partition(
    partitions: npt.NDArray[np.integer[Any]], order: npt.NDArray[np.intp]
) -> Iterator[tuple[int, npt.NDArray[np.intp]]]:
    """Yield each of N partitions that there is, and its places in their order."""
    in_order = partitions[order]
    for partition in np.unique(in_order).tolist():
        yield partition, order[in_order == partition]


_LOST = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)
_REFUSED = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)
