"""The stream engine: fetches what is next, writes what comes of it, and commits both as one.

It is used from one thread at a time, in turns: `fetch`, the agents' work, `commit` when it is due.
A commit ends in a thread of its own while the next turns go on. Rebalances are served inside
`fetch`, so between two batches and never within one.
"""

import logging
from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaError, Message

from streams.engine.application import Application
from streams.engine.commits import Commits
from streams.engine.committed_offsets import GroupOffsets
from streams.engine.direct_path import DirectPath
from streams.engine.group_member import GroupMember, TaskTopics
from streams.engine.inputs import Inputs, Work
from streams.engine.membership import Membership
from streams.engine.opening import TaskOpener
from streams.engine.restore import Progress
from streams.engine.sending import Sending
from streams.engine.settings import EngineSettings
from streams.engine.standby import Standbys
from streams.engine.task import Task
from streams.engine.unassigned_tasks import UnassignedTasks
from streams.engine.worker_tasks import WorkerTasks
from streams.errors import OperationalError
from streams.kafka.access import Right, refusal
from streams.kafka.clients import Attempt, Clients
from streams.kafka.partition_watch import PartitionWatch
from streams.kafka.retry import Outage
from streams.kafka.topics import Topics
from streams.kafka.transactional_producer import TransactionalProducer

logger = logging.getLogger(__name__)

_LEAVE_S = 2.0
_GATHERING_S = 0.05  # at the most, so that models and rules are taken over soon
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

    Attributes
    ----------
    sending
        Sends what the stages have for each other.
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
        self._direct_path = DirectPath()
        self._commits = Commits(
            clients, self._member, producer, self._tasks, self._direct_path, application.observer
        )
        self._membership = Membership(self._member, self._tasks, self._commits, opener, self._watch)
        self.sending = Sending(
            clients,
            self._consumer,
            topics,
            producer,
            self._tasks,
            self._commits,
            self._direct_path,
        )
        self._inputs = Inputs(
            self._member,
            settings,
            clients.clock,
            application.layouts,
            application.payloads,
        )

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

    def fetch(self, timeout_s: float, gathering_s: float = 0.0) -> Work:
        """Wait for input, serve rebalances, and take what is next in event time.

        Parameters
        ----------
        timeout_s
            How long is waited for a first message, seconds.
        gathering_s
            How long it is until the next commit, seconds. Exactly once nothing is seen before it,
            so more is waited for until then, and one turn does what would else be several.

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
        until = self._clients.clock() + min(gathering_s, _GATHERING_S)
        first = self._consumer.poll(timeout_s)
        self._watch.check()
        if first is not None:
            self._outage.is_complete = False
            left_s = max(0.0, until - self._clients.clock()) if self._settings.exactly_once else 0.0
            rest = self._consumer.consume(self._settings.max_batch, timeout=left_s)
            self._sort_in([first, *rest])
        self._go_back()
        for task in self._membership.start_restored():
            logger.info("task %d: running", task.number)
        self._see_to_direct_path()
        return self._inputs.take(
            list(self.tasks.values()), self._commits.reach, inputs=not self._direct_path.is_draining
        )

    def _see_to_direct_path(self) -> None:
        """Open the direct path where this worker has all tasks, and close it elsewhere."""
        path, tasks = self._direct_path, self.tasks.values()
        if not self._settings.exactly_once or len(tasks) < self.sending.partitions:
            path.close()
        elif not path.is_open and path.is_drained(tasks):
            self._commits.conclude(is_lost=False)
            if not self._tasks.undone and not self._tasks.in_doubt:
                path.open_or_drain(tasks, self.sending.ends())

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


_LOST = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)
_REFUSED = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)
