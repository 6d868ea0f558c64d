"""The stream engine: fetches what is next, writes what comes of it, and commits both as one.

It is used from one thread at a time, in turns: `fetch`, the agents' work, `commit` when it is due.
Rebalances are served inside `fetch`, so between two batches and never within one.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, time
from typing import cast

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams.decoding import Input, Rejected, decode_charges, decode_disputes
from streams.errors import OperationalError
from streams.frames import Origin, decode_frames
from streams.intake import Events, PartitionBuffer, turn
from streams.membership import Membership
from streams.partitioner import partitions_of
from streams.producer import AbortableError, OutputProducer
from streams.task import BY_MERCHANT, CHARGES, DISPUTES, Task
from streams.topics import Topics

logger = logging.getLogger(__name__)

_ANSWER_S = 30.0

_NEARLY_AT_END = 200
"""Messages a partition may lag without being waited for: what is in flight at any time."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How the engine works.

    Attributes
    ----------
    application_id
        The consumer group.
    exactly_once
        Whether outputs, state and offsets are one transaction.
    session_timeout_ms
        How long the group waits for a silent worker before its tasks go to others.
    max_batch
        Events taken at about the most at a time.
    max_buffered
        Events of a partition that wait at the most, before it is paused.
    future_allowance_s
        Seconds by which an event's time may lie ahead of the clock.
    idle_wait_s
        How long a partition that is behind and delivers nothing holds up the others, seconds.
    """

    application_id: str
    exactly_once: bool = True
    session_timeout_ms: int = 10_000
    max_batch: int = 4000
    max_buffered: int = 20_000
    future_allowance_s: float = 3600.0
    idle_wait_s: float = 1.0


@dataclass(slots=True)
class Work:
    """What one turn has for the agents, by task, in the order of event time."""

    inputs: list[tuple[Task, Events]] = field(default_factory=list)
    frames: list[tuple[Task, Events]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.inputs or self.frames or self.rejected)


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
    config
        Client settings (`streams.client.client_config`).
    producer
        Writes everything.
    open_task
        Opens a task's state and stages by its number; the task is restored afterwards.
    """

    def __init__(
        self,
        settings: EngineSettings,
        topics: Topics,
        config: Mapping[str, object],
        producer: OutputProducer,
        open_task: Callable[[int], Task],
    ) -> None:
        self.topics = topics
        self.producer = producer
        self._settings = settings
        self._topic_of = {
            CHARGES: topics.charges,
            DISPUTES: topics.disputes,
            BY_MERCHANT: topics.by_merchant,
        }
        self._source_of = {topic: source for source, topic in self._topic_of.items()}
        self._consumer = Consumer(
            {
                **config,
                "group.id": settings.application_id,
                "partition.assignment.strategy": "cooperative-sticky",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "session.timeout.ms": settings.session_timeout_ms,
                "fetch.wait.max.ms": 100,
                "queued.min.messages": settings.max_buffered,
                "queued.max.messages.kbytes": 1 << 16,
            },
            logger=logging.getLogger("kafka"),
        )
        self._membership = Membership(
            self._consumer, self._topic_of, config, topics.changelog, open_task, self._let_go
        )
        self._waiting_since: float | None = None
        self._partitions = 0
        self._frames_reached: dict[int, int] = {}
        self._frames_committed: dict[int, int] = {}

    @property
    def tasks(self) -> Mapping[int, Task]:
        """The tasks this worker has, by number; some may still be restored."""
        return self._membership.tasks

    @property
    def is_ready(self) -> bool:
        """Whether the group has given this worker its tasks, if only none, and they all run."""
        return self._membership.has_joined and all(task.is_running for task in self.tasks.values())

    def start(self) -> None:
        """Join the group."""
        self._membership.join(self.topics.charges)

    def fetch(self, timeout_s: float) -> Work:
        """Wait for input, serve rebalances, and take what is next in event time.

        Raises
        ------
        OffsetLostError
            When input has been deleted before it counted.
        """
        first = self._consumer.poll(timeout_s)
        if first is not None:
            rest = self._consumer.consume(self._settings.max_batch, timeout=0)
            self._sort_in([first, *rest])
        for task in self._membership.start_restored():
            logger.info("task %d: running", task.number)
        running = [task for task in self.tasks.values() if task.is_running]
        self._hold_back(running)
        return self._take(running)

    def send_frames(self, merchants: Sequence[bytes], frames: Sequence[bytes]) -> None:
        """Send frames on to the merchant stage, and remember how far the partitions then reach."""
        if not self._partitions:
            described = self._consumer.list_topics(self.topics.by_merchant, timeout=_ANSWER_S)
            self._partitions = len(described.topics[self.topics.by_merchant].partitions)
        batches: list[list[tuple[bytes, bytes]]] = [[] for _ in range(self._partitions)]
        partitions = partitions_of(merchants, self._partitions)
        for merchant, frame, partition in zip(merchants, frames, partitions, strict=True):
            batches[partition].append((merchant, frame))
        for partition, batch in enumerate(batches):
            self.producer.send(self.topics.by_merchant, batch, partition, self._frames_reached)

    def commit(self) -> bool:
        """Make the work since the last commit count: outputs, state and positions as one.

        1. Every changed task puts its changed records and its positions into its changelog.
        2. The positions go into the transaction as the group's offsets, which is where the
           broker refuses a worker that has lost its tasks.
        3. The transaction is committed.
        4. Every changed task writes its changes to its store.

        When the transaction fails, everything since the last commit is undone, and False returned.
        """
        dirty = [task for task in self.tasks.values() if task.is_dirty]
        reached: dict[int, int] = {}
        for task in dirty:
            task.seal()
            changes = list(task.state.changes().items())
            self.producer.send(self.topics.changelog, changes, task.number, reached)
        offsets = [
            TopicPartition(self._topic_of[source], task.number, position)
            for task in self.tasks.values()
            for source, position in task.positions().items()
        ]
        try:
            self.producer.commit(offsets, self._consumer.consumer_group_metadata())
        except AbortableError as error:
            logger.warning("the transaction failed, its work is done again: %s", error)
            self.abort()
            return False
        if not self._settings.exactly_once and offsets:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        for task in dirty:
            task.commit(reached[task.number])
        self._frames_committed |= self._frames_reached
        return True

    def abort(self) -> None:
        """Undo everything since the last commit, and take it again."""
        self.producer.abort()
        self._frames_reached.clear()
        for task in self.tasks.values():
            if task.is_dirty:
                for source, position in task.roll_back().items():
                    partition = TopicPartition(self._topic_of[source], task.number, position)
                    self._consumer.seek(partition)
                    self._consumer.resume([partition])

    def close(self) -> None:
        """Commit, give the tasks back, and leave the group."""
        self._consumer.close()
        self._membership.close()

    def _let_go(self, *, is_lost: bool) -> None:
        """Settle before tasks leave: a lost task must not be written for any more."""
        if is_lost:
            self.abort()
        else:
            self.commit()

    def _sort_in(self, messages: Sequence[Message]) -> None:
        """Decode messages into the buffers of their partitions."""
        by_partition: dict[tuple[str | None, int | None], list[Message]] = {}
        ends: list[Message] = []
        for message in messages:
            error = message.error()
            if error is None:
                by_partition.setdefault((message.topic(), message.partition()), []).append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                ends.append(message)
            elif error.code() in _LOST:
                raise OffsetLostError(
                    f"{message.topic()}[{message.partition()}]: input was deleted before it was "
                    "processed (retention too short?); reset the application to go on without it"
                )
            elif not error.retriable():
                raise KafkaException(error)
        for (topic, partition), batch in by_partition.items():
            task = self.tasks.get(cast("int", partition))
            if task is not None and task.is_running:
                self._decode(task, self._source_of[cast("str", topic)], batch)
        for message in ends:
            self._at_end(message)

    def _at_end(self, message: Message) -> None:
        """Note that nothing is left before an offset, commit markers included."""
        task = self.tasks.get(cast("int", message.partition()))
        if task is not None and task.is_running:
            buffer = task.buffers[self._source_of[cast("str", message.topic())]]
            buffer.fetched = max(buffer.fetched, cast("int", message.offset()))

    def _decode(self, task: Task, source: str, messages: Sequence[Message]) -> None:
        buffer = task.buffers[source]
        offsets = np.array([message.offset() for message in messages], np.int64)
        values = [message.value() for message in messages]
        fetched = int(offsets[-1]) + 1
        if source == BY_MERCHANT:
            frames = decode_frames(cast("list[bytes]", values))
            merchants = [cast("bytes", message.key()) for message in messages]
            lists = (merchants, frames.keys, frames.tails)
            created = frames.rows["event"]["created"]
            buffer.add(created, frames.rows, lists, offsets, [], fetched)
            return
        topic = self._topic_of[source]
        inputs = [
            Input(message.key(), value, Origin(topic, task.number, offset))
            for message, value, offset in zip(messages, values, offsets.tolist(), strict=True)
        ]
        decode = decode_charges if source == CHARGES else decode_disputes
        decoded = decode(inputs, time() + self._settings.future_allowance_s)
        timestamps_ms = np.array([message.timestamp()[1] for message in messages])
        decoded.rows["published"] = timestamps_ms[decoded.index] / 1e3
        decoded.rows["offset"] = offsets[decoded.index]
        buffer.add(
            decoded.rows["created"],
            decoded.rows,
            (decoded.cards, decoded.merchants, decoded.tails),
            offsets[decoded.index],
            [(int(dict(copy.headers)["offset"]), copy) for copy in decoded.rejected],
            fetched,
        )

    def _hold_back(self, tasks: Sequence[Task]) -> None:
        """Find out who is behind, and pause the partitions of which enough is waiting."""
        for task in tasks:
            for source, buffer in task.buffers.items():
                partition = TopicPartition(self._topic_of[source], task.number)
                _, end = self._consumer.get_watermark_offsets(partition, cached=True)
                buffer.is_behind = end < 0 or end - buffer.fetched > _NEARLY_AT_END
                if source == BY_MERCHANT and buffer.fetched < self._frames_committed.get(
                    task.number, 0
                ):
                    buffer.is_behind = True
                self._pause_or_resume(partition, buffer)

    def _pause_or_resume(self, partition: TopicPartition, buffer: PartitionBuffer) -> None:
        if not buffer.is_paused and len(buffer) > self._settings.max_buffered:
            self._consumer.pause([partition])
            buffer.is_paused = True
        elif buffer.is_paused and len(buffer) < self._settings.max_buffered // 2:
            self._consumer.resume([partition])
            buffer.is_paused = False

    def _take(self, tasks: Sequence[Task]) -> Work:
        """Take what is next; inputs only while the merchant stage keeps up with the card stage."""
        work = Work()
        frames = [task.buffers[BY_MERCHANT] for task in tasks]
        until = self._turn(frames)
        for task in tasks:
            if parts := task.buffers[BY_MERCHANT].take(until):
                work.frames.append((task, Events.merged(parts)))
        if any(buffer.is_behind for buffer in frames):
            return self._marked(work)
        until = self._turn(
            [task.buffers[source] for task in tasks for source in (CHARGES, DISPUTES)]
        )
        for task in tasks:
            charges, disputes = task.buffers[CHARGES], task.buffers[DISPUTES]
            if parts := charges.take(until) + disputes.take(until):
                work.inputs.append((task, Events.merged(parts)))
            for buffer in (charges, disputes):
                if rejected := buffer.take_rejected():
                    task.is_dirty = True
                    work.rejected.extend(rejected)
        return self._marked(work)

    def _marked(self, work: Work) -> Work:
        for task, _ in (*work.inputs, *work.frames):
            task.is_dirty = True
        return work

    def _turn(self, buffers: Sequence[PartitionBuffer]) -> float:
        """Tell up to when to take, without waiting for ever for a partition that is behind."""
        until = turn(buffers, self._settings.max_batch)
        if until > -np.inf or not any(len(buffer) for buffer in buffers):
            self._waiting_since = None
            return until
        if self._waiting_since is None:
            self._waiting_since = monotonic()
        if monotonic() - self._waiting_since < self._settings.idle_wait_s:
            return until
        return turn([buffer for buffer in buffers if len(buffer)], self._settings.max_batch)


_LOST = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)
