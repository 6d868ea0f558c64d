"""Reader of one partition of our own from an offset on, outside the consumer group."""

import logging
from collections.abc import Iterator
from typing import cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from streams.kafka.access import Right, raise_if_refused
from streams.kafka.clients import Clients
from streams.kafka.roles import PARTITION_READER

logger = logging.getLogger(__name__)

_FETCH_WAIT_MS = 50  # how long the end of a partition takes to be known
_BULK_MESSAGES = 20_000
_ANSWER_S = 2.0  # after which it is asked again


class PartitionReader:
    """Reader of one partition: first in bulk to its end, then as it grows.

    Only committed messages are seen, unless it is told otherwise.

    Parameters
    ----------
    clients
        Makes its consumer.
    topic, partition
        What to read.
    offset
        Where to begin; the partition's beginning when `None`.
    fetch_wait_ms
        How long the broker waits for a message before it answers that there is none: what comes is
        there at once all the same, and the end is known so much later.
    is_committed
        Whether what is in a transaction waits for its end, with all that comes behind it.
    """

    def __init__(
        self,
        clients: Clients,
        topic: str,
        partition: int,
        offset: int | None = None,
        fetch_wait_ms: int = _FETCH_WAIT_MS,
        *,
        is_committed: bool = True,
    ) -> None:
        self._consumer = clients.consumer(
            {
                "group.id": PARTITION_READER,  # required, and never joined
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed" if is_committed else "read_uncommitted",
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": fetch_wait_ms,
            }
        )
        self._clients = clients
        self._needed = (
            Right("Read", "topic", topic),
            Right("Describe", "group", PARTITION_READER),
        )
        self._partition = TopicPartition(topic, partition)
        self.reached = -1
        self.seek(OFFSET_BEGINNING if offset is None else offset)

    def read(self) -> list[Message]:
        """Return messages in bulk, waiting a moment for some; `reached` tells an end met.

        Raises
        ------
        KafkaException
            When what was asked for is there no more.
        NotAllowedError
            When the topic may not be read.
        """
        return self._consume(_BULK_MESSAGES, _FETCH_WAIT_MS / 1e3)

    def read_to_end(self) -> Iterator[list[Message]]:
        """Yield all messages up to the end as it is now, in bulk.

        The last offset of a transactional partition is a commit marker that is never delivered,
        so the end is where the client says that nothing follows.

        Raises
        ------
        KafkaException
            When the partition cannot be read, or what was asked for is there no more.
        """
        low, end = self.watermarks()
        while end > max(low, self.reached):
            if messages := self.read():
                yield messages

    @property
    def is_at_end(self) -> bool:
        """Whether everything was read: nothing waits for its transaction to end, either."""
        _, high = self._consumer.get_watermark_offsets(self._partition, cached=True)
        return 0 <= high <= self.reached

    def watermarks(self) -> tuple[int, int]:
        """Ask for the first offset there is, and the one after the last committed message."""
        return self.watermarks_of(self._partition.topic, self._partition.partition)

    def watermarks_of(self, topic: str, number: int) -> tuple[int, int]:
        """Ask for the same of any partition."""
        needed = (Right("Read", "topic", topic), *self._needed[1:])
        partition = TopicPartition(topic, number)
        low, high = self._clients.answer_to(lambda: self._ask_watermarks(partition), *needed)
        return low, high

    def _ask_watermarks(self, partition: TopicPartition) -> tuple[int, int]:
        """Ask once; a topic that may not be seen looks to the client as if it were not there."""
        try:
            return self._consumer.get_watermark_offsets(partition, timeout=_ANSWER_S)
        except KafkaException as exception:
            if exception.args[0].code() == KafkaError._UNKNOWN_PARTITION:
                topic = partition.topic
                found = self._consumer.list_topics(topic, timeout=_ANSWER_S).topics[topic]
                if found.error is not None:
                    raise_if_refused(found.error, self._clients.config, *self._needed)
            raise

    def take(self, limit: int) -> list[Message]:
        """Return at most `limit` messages that are here already."""
        return self._consume(limit, 0.0)

    def seek(self, offset: int) -> None:
        """Go on from another offset."""
        self.reached = -1
        self._consumer.assign(
            [TopicPartition(self._partition.topic, self._partition.partition, offset)]
        )

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()

    def _consume(self, limit: int, timeout_s: float) -> list[Message]:
        """Return messages, and note where the end of the partition is when it is reached.

        The client tells an end once, so what it told stays noted.
        """
        messages = []
        for message in self._consumer.consume(limit, timeout=timeout_s):
            error = message.error()
            if error is None:
                messages.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                self.reached = cast("int", message.offset())
            elif error.code() in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}:
                raise KafkaException(error)
            else:
                raise_if_refused(error, self._clients.config, *self._needed)
                logger.warning("%s: %s", self._partition.topic, error.str())
        return messages
