"""What the stages of a worker send each other: to its topic, and to the next stage at once."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from confluent_kafka import Consumer

from streams.engine.commits import Commits
from streams.engine.direct_path import DirectPath
from streams.engine.inputs import Arrived, Told
from streams.engine.task import BY_ENTITY, BY_MERCHANT, Task
from streams.engine.worker_tasks import WorkerTasks
from streams.events.batch import Batch, RowBatch, TimedBatch, Times
from streams.events.rows import Rows
from streams.kafka.clients import Clients
from streams.kafka.partitioner import partitions_of
from streams.kafka.topics import Topics
from streams.kafka.transactional_producer import TransactionalProducer
from streams.layouts.raw_rows import rows_at
from streams.wire.entity_events import entity_partitions
from streams.wire.frames import encode_frames
from streams.wire.row_messages import encode_rows

_ANSWER_S = 2.0  # after which it is asked again


class Sending:
    """Sends to the merchant and the entity stage.

    Each call returns what these are to be handed at once, as the direct path is open; what has been
    sent to a partition is otherwise read from it.

    Parameters
    ----------
    clients, consumer
        Ask the broker.
    topics
        The names of the topics.
    producer
        Writes.
    tasks
        The tasks of this worker.
    commits
        Remembers how far the partitions of a stage then reach.
    direct_path
        Tells whether anything is handed on.
    """

    def __init__(
        self,
        clients: Clients,
        consumer: Consumer,
        topics: Topics,
        producer: TransactionalProducer,
        tasks: WorkerTasks,
        commits: Commits,
        direct_path: DirectPath,
    ) -> None:
        self._clients = clients
        self._consumer = consumer
        self._topic_of = {BY_MERCHANT: topics.by_merchant, BY_ENTITY: topics.by_entity}
        self._producer = producer
        self._tasks = tasks
        self._sent = commits.sent
        self._direct_path = direct_path
        self._partitions = 0

    @property
    def partitions(self) -> int:
        """How many partitions the topics of the stages have."""
        if not self._partitions:
            topic = self._topic_of[BY_MERCHANT]
            described = self._clients.retry.ask(
                lambda: self._consumer.list_topics(topic, timeout=_ANSWER_S)
            )
            self._partitions = len(described.topics[topic].partitions)
        return self._partitions

    def partitions_of(self, merchants: Sequence[bytes]) -> npt.NDArray[np.int64]:
        """Return i8[N], the partitions of N merchants."""
        return partitions_of(merchants, self.partitions)

    def ends(self) -> dict[str, list[int]]:
        """Return where the partitions of each stage end, with what is not committed yet."""
        topics, partitions = list(self._topic_of.values()), self.partitions
        ends = self._clients.retry.ask(lambda: self._clients.ends(topics, partitions))
        return {source: ends[topic] for source, topic in self._topic_of.items()}

    def frames(
        self, frames: Batch, times: Times, partitions: npt.NDArray[np.int64]
    ) -> list[Arrived]:
        """Send frames to the merchant stage.

        Parameters
        ----------
        frames
            N of them.
        times
            f8[N], by which they are sorted, Unix seconds.
        partitions
            i8[N], those of their merchants.
        """
        handed = []
        for partition, places in _by_partition(partitions, np.argsort(times, kind="stable")):
            own = frames.at(places)
            if self._send(BY_MERCHANT, encode_frames(own), partition):
                handed.append(Arrived(self._changed(partition), [own]))
        return handed

    def parts(self, parts: Rows, partitions: npt.NDArray[np.int64]) -> list[Arrived]:
        """Send PART[N] to the merchant stage, each to the partition of its charge's merchant."""
        handed = []
        for partition, places in _by_partition(partitions, np.arange(len(parts))):
            own = rows_at(parts, places)
            if self._send(BY_MERCHANT, encode_rows(own), partition, is_waited_for=False):
                handed.append(Arrived(self._changed(partition), [RowBatch(own)]))
        return handed

    def entity_events(self, events: Rows) -> list[Told]:
        """Send ENTITY_EVENT[N] to the entity stage."""
        handed: list[Told] = []
        if not len(events):
            return handed
        partitions = entity_partitions(events["entity"], events["key"], self.partitions)
        for partition, places in _by_partition(partitions, np.arange(len(events))):
            own = rows_at(events, places)
            if self._send(BY_ENTITY, encode_rows(own), partition):
                handed.append((self._changed(partition), TimedBatch(own["now"], RowBatch(own))))
        return handed

    def _send(
        self, source: str, messages: Sequence[bytes], partition: int, *, is_waited_for: bool = True
    ) -> bool:
        """Send messages to a stage; return whether it is handed them at once.

        What is not waited for is taken when it comes, and what comes next is taken in meanwhile.
        """
        is_handed = self._direct_path.is_open
        reached = self._sent[source] if is_waited_for or is_handed else None
        keyless = [(None, message) for message in messages]
        self._producer.send(self._topic_of[source], keyless, partition, reached)
        return is_handed

    def _changed(self, number: int) -> Task:
        """Return a task that is handed something, and so has work for the next commit."""
        task = self._tasks.running[number]
        task.is_dirty = True
        return task


def _by_partition(
    partitions: npt.NDArray[np.integer[Any]], order: npt.NDArray[np.intp]
) -> Iterator[tuple[int, npt.NDArray[np.intp]]]:
    """Yield each of N partitions that there is, and its places in their order."""
    in_order = partitions[order]
    for partition in np.unique(in_order).tolist():
        yield partition, order[in_order == partition]
