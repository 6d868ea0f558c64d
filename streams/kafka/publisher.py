"""Publishing events, as a producer of charges, disputes and outcomes should."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, Message

from streams.errors import OperationalError
from streams.kafka.access import NotAllowedError, Right, refusal
from streams.kafka.config import Config
from streams.kafka.password_file import new_producer

_FLUSH_WAIT_S = 1.0
_QUEUE_FULL_WAIT_S = 0.1

Event = tuple[bytes | None, bytes]
"""The key and the value."""


class PublishError(OperationalError):
    """Events were not delivered; the message says how many and why."""


class Publisher:
    """An idempotent producer that counts what was delivered and what was not.

    Its partitioner is that of the Java clients, so that the events of a card are in one partition
    whoever publishes them.

    Parameters
    ----------
    config
        Client settings (`streams.kafka.config.client_config`).

    Attributes
    ----------
    delivered, failed
        Events so far.
    problem
        Why the last failed one failed, empty if none did.
    """

    def __init__(self, config: Config) -> None:
        self.delivered = 0
        self.failed = 0
        self.problem = ""
        self._config = config
        self._refused: NotAllowedError | None = None
        own: dict[str, Any] = {
            "enable.idempotence": True,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "linger.ms": 5,
            "batch.num.messages": 100_000,
            "queue.buffering.max.messages": 200_000,
            "message.timeout.ms": 60_000,
            "log_level": 0,  # what goes wrong is in `problem`
        }
        self._producer = new_producer(config | own)

    def publish(self, topic: str, events: Sequence[Event]) -> None:
        """Publish events in order; waits while more of them are under way than memory is for."""
        self.publish_to(topic, -1, events)

    def publish_to(self, topic: str, partition: int, events: Sequence[Event]) -> None:
        """Publish events to a partition in the same way; negative for that of each key."""
        delivered = partial(self._delivered, topic)
        queued: list[dict[str, Any]] = [
            {"key": key, "value": value, "callback": delivered} for key, value in events
        ]
        while queued:
            self._producer.produce_batch(topic, queued, partition=partition)
            failed = [message for message in queued if "_error" in message]
            queued = []
            for message in failed:
                error = message.pop("_error")
                if error.code() == KafkaError._QUEUE_FULL:
                    queued.append(message)
                else:
                    delivered(error, None)
            self._producer.poll(_QUEUE_FULL_WAIT_S if queued else 0)

    def publish_in_turn(
        self, batch: Mapping[str, Sequence[Event]], progress: Callable[[], None] = lambda: None
    ) -> None:
        """Publish a batch by topic, each topic's once all that was to come before is delivered.

        So a dispute is never there before its charge, which no order across topics promises.

        Parameters
        ----------
        batch
            Events by topic, in the order of the topics: charges before disputes.
        progress
            Called while there is something to wait for.
        """
        for number, (topic, events) in enumerate(batch.items()):
            if number and events:
                self._settle(progress)
            self.publish(topic, events)

    def flush(self, progress: Callable[[], None] = lambda: None) -> None:
        """Wait until every event was delivered or failed; `progress` is called meanwhile.

        Raises
        ------
        PublishError
            When any event since the beginning has failed.
        NotAllowedError
            When one was not allowed.
        """
        self._settle(progress)
        if self._refused is not None:
            raise self._refused
        if self.failed:
            raise PublishError(f"{self.failed} events were not delivered: {self.problem}")

    def _settle(self, progress: Callable[[], None]) -> None:
        while self._producer.flush(_FLUSH_WAIT_S):
            progress()

    def _delivered(self, topic: str, error: KafkaError | None, _: Message | None) -> None:
        if error is None:
            self.delivered += 1
        else:
            self.failed += 1
            self.problem = error.str()
            refused = refusal(error, self._config, Right("Write", "topic", topic))
            self._refused = self._refused or refused
