"""Reading whole topics, committed messages only, and how far the group has come with its inputs."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from streams.kafka.config import Config

Answer = TypeVar("Answer")

_ANSWER_S = 60.0
_SHORT_S = 10.0
_SILENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Read:
    """A message as it was read."""

    partition: int
    offset: int
    time_s: float
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


class Logs:
    """The topics of a cluster, read by a client that is not ours.

    Parameters
    ----------
    config
        Settings that every client needs.
    group
        The workers' group; it is asked for its offsets and never joined.
    """

    def __init__(self, config: Config, group: str) -> None:
        self._config = config
        self._group = group
        self._asking = self._asker()

    def close(self) -> None:
        self._asking.close()

    def partitions(self, topic: str) -> list[int]:
        return sorted(self._asking.list_topics(topic, _ANSWER_S).topics[topic].partitions)

    def committed(self, topic: str) -> Iterator[Read]:
        """Yield all that is committed in a topic now, each partition in its order."""
        unread = set(self.partitions(topic))
        consumer = self._reader()
        consumer.assign([TopicPartition(topic, number, 0) for number in sorted(unread)])
        heard_at = time.monotonic()
        try:
            # The last offset may be a commit marker, which is never delivered.
            while unread:
                messages = consumer.consume(2000, 0.1)
                for message in messages:
                    error = message.error()
                    if error is None:
                        yield _read(message)
                    elif error.code() == KafkaError._PARTITION_EOF:
                        unread.discard(cast("int", message.partition()))
                    else:
                        raise AssertionError(error)
                heard_at = time.monotonic() if messages else heard_at
                assert time.monotonic() - heard_at < _SILENCE_S, f"{topic}: no end of {unread}"
        finally:
            consumer.close()

    def lag(self, topic: str, numbers: Sequence[int]) -> int:
        """Return how many messages of partitions the group has not committed yet."""
        partitions = [TopicPartition(topic, number) for number in numbers]
        committed = self._ask(lambda asking: asking.committed(partitions, _SHORT_S))
        return sum(self._end(partition) - max(partition.offset, 0) for partition in committed)

    def positions(self, topic: str) -> dict[int, int]:
        """Return the offset of the group in each partition of a topic."""
        partitions = [TopicPartition(topic, number) for number in self.partitions(topic)]
        committed = self._ask(lambda asking: asking.committed(partitions, _SHORT_S))
        return {partition.partition: max(partition.offset, 0) for partition in committed}

    def uncounted(self, topic: str) -> list[Read]:
        """Return what is committed in a topic, and not counted by the group yet."""
        positions = self.positions(topic)
        return [r for r in self.committed(topic) if r.offset >= positions[r.partition]]

    def open_transactions(self, topics: Sequence[str]) -> list[str]:
        """Return the partitions in which a transaction is open: that hold back their readers."""
        stable = self._reader()
        try:
            return [
                f"{topic}[{number}]"
                for topic in topics
                for number in self.partitions(topic)
                for partition in [TopicPartition(topic, number)]
                if stable.get_watermark_offsets(partition, _ANSWER_S)[1] != self._end(partition)
            ]
        finally:
            stable.close()

    def _end(self, partition: TopicPartition) -> int:
        ends = self._ask(lambda asking: asking.get_watermark_offsets(partition, _SHORT_S))
        return int(ends[1])

    def _ask(self, question: Callable[[Consumer], Answer]) -> Answer:
        """Ask the brokers; a client that gets no answer is replaced before it is asked again.

        That of librdkafka 2.16 may ask a broker for ever that is no longer the one to ask, once the
        leaders and the coordinator are others of several brokers.
        """
        try:
            return question(self._asking)
        except KafkaException:
            self._asking.close()
            self._asking = self._asker()
            raise

    def _asker(self) -> Consumer:
        return Consumer(
            self._config
            | {
                "group.id": self._group,
                "enable.auto.commit": False,
                "isolation.level": "read_uncommitted",
            }
        )

    def _reader(self) -> Consumer:
        return Consumer(
            self._config
            | {
                "group.id": f"chaos-{uuid.uuid4().hex}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 10,  # or the end is told only after so long
            }
        )


def _read(message: Message) -> Read:
    return Read(
        cast("int", message.partition()),
        cast("int", message.offset()),
        message.timestamp()[1] / 1e3,
        message.key(),
        message.value(),
        cast("dict[str, bytes]", dict(message.headers() or [])),
    )
