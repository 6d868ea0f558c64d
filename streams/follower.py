"""Reading one partition of our own from an offset on, outside the consumer group."""

import logging
from collections.abc import Iterator, Mapping
from typing import cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

_FETCH_WAIT_MS = 50  # how long the end of a partition takes to be known
_BULK_MESSAGES = 20_000
_ANSWER_S = 30.0


class Follower:
    """Follows one partition: first in bulk to its end, then as it grows.

    Only committed messages are seen.

    Parameters
    ----------
    config
        Client settings (`streams.client.client_config`).
    topic, partition
        What to follow.
    offset
        Where to begin; the partition's beginning when `None`.
    """

    def __init__(
        self, config: Mapping[str, object], topic: str, partition: int, offset: int | None = None
    ) -> None:
        self._consumer = Consumer(
            {
                **config,
                "group.id": "chargewatch.follower",  # required by the client, never joined
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": _FETCH_WAIT_MS,
            },
            logger=logging.getLogger("kafka"),
        )
        self._partition = TopicPartition(topic, partition)
        self._start(OFFSET_BEGINNING if offset is None else offset)

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
        while end > max(low, self._reached):
            if messages := self._consume(_BULK_MESSAGES, _FETCH_WAIT_MS / 1e3):
                yield messages

    def watermarks(self) -> tuple[int, int]:
        """Ask for the first offset there is, and the one after the last committed message."""
        low, high = self._consumer.get_watermark_offsets(self._partition, timeout=_ANSWER_S)
        return low, high

    def take(self, limit: int) -> list[Message]:
        """Return at most `limit` messages that are here already."""
        return self._consume(limit, 0.0)

    def seek(self, offset: int) -> None:
        """Go on from another offset."""
        self._start(offset)

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()

    def _start(self, offset: int) -> None:
        self._reached = -1
        self._consumer.assign(
            [TopicPartition(self._partition.topic, self._partition.partition, offset)]
        )

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
                self._reached = cast("int", message.offset())
            elif not error.retriable():
                raise KafkaException(error)
        return messages
