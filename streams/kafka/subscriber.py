"""Subscribing to topics, as a reader of scored events should: only what is committed."""

import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from confluent_kafka import (
    OFFSET_BEGINNING,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from streams.kafka.access import Right, raise_if_refused
from streams.kafka.config import CONSUMER_SETTINGS, Config
from streams.kafka.password_file import new_consumer
from streams.kafka.retry import RetryPolicy
from streams.kafka.roles import SUBSCRIBER

_TIMEOUT_S = 10.0
_AT_A_TIME = 2000


class Subscriber:
    """Reads all partitions of some topics, from now or from the beginning, in no group.

    Parameters
    ----------
    config
        Client settings (`streams.kafka.config.client_config`).
    topics
        Names of the topics, which must exist.
    from_beginning
        Whether what is there already is read, too.
    """

    def __init__(
        self, config: Config, topics: Sequence[str], *, from_beginning: bool = False
    ) -> None:
        self._config = config
        self._consumer = new_consumer(
            config
            | CONSUMER_SETTINGS
            | {
                "group.id": f"{SUBSCRIBER}{uuid.uuid4().hex}",  # required, and never committed to
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 20,
                "log_level": 0,
            }
        )
        partitions = [
            TopicPartition(topic, number, OFFSET_BEGINNING)
            for topic in topics
            for number in self._partitions(topic)
        ]
        if not from_beginning:
            for partition in partitions:
                # Asked for now, so that nothing that is written from now on is missed.
                partition.offset = self._end(partition)
        self._consumer.assign(partitions)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._consumer.close()

    def read(self, timeout_s: float) -> list[Message]:
        """Return what came, at once when something is there.

        Raises
        ------
        NotAllowedError, KafkaException
            When the brokers refuse to let these topics be read.
        """
        first = self._consumer.poll(timeout_s)
        if first is None:
            return []
        messages = [first, *self._consumer.consume(_AT_A_TIME, timeout=0)]
        return [message for message in messages if self._has_event(message)]

    def _partitions(self, topic: str) -> list[int]:
        """Ask for one topic: among all of them those that may not be seen are left out."""
        found = self._consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
        self._check(found.error, topic)
        return list(found.partitions)

    def _end(self, partition: TopicPartition) -> int:
        """Ask where a partition ends: again, while nobody leads it, as just after it was made."""
        try:
            _, end = RetryPolicy().ask(
                lambda: self._consumer.get_watermark_offsets(partition, _TIMEOUT_S)
            )
        except KafkaException as exception:
            self._check(exception.args[0], partition.topic)
            raise
        return end

    def _has_event(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        self._check(error, message.topic() or "")
        # Brokers that are away for a while come back, and reading goes on where it was.
        if error.code() in _TRANSIENT or error.retriable():
            return False
        raise KafkaException(error)

    def _check(self, error: KafkaError | None, topic: str) -> None:
        """Raise `NotAllowedError` if that is what an error is about."""
        if error is not None:
            needed = Right("Read", "topic", topic), Right("Describe", "group", SUBSCRIBER, True)
            raise_if_refused(error, self._config, *needed)


_TRANSIENT = (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT)
