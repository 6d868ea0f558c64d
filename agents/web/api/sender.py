"""Events on their way to Kafka, and the word of the brokers that they have them."""

from __future__ import annotations

import logging
from collections import deque
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException

from agents.web.follower import on_loop
from streams.kafka.access import Right, refusal

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from confluent_kafka import Message

    from streams.kafka.clients import Clients

logger = logging.getLogger(__name__)

DELIVERY_TIMEOUT_MS: Final = 10_000
"""For which an event waits for its brokers; then it is given up."""

_QUEUE_MAX: Final = 50_000
_POLL_S: Final = 0.1
_FLUSH_S: Final = 10.0


class Delivered(NamedTuple):
    """The brokers have an event, in this partition."""

    partition: int


Delivery = Delivered | KafkaError
"""What became of an event. After some errors it may be there all the same."""


class QueueFullError(Exception):
    """More events wait for the brokers than there is room for: this one is not sent."""


class Sender:
    """An idempotent producer, whose deliveries are told on an event loop.

    Parameters
    ----------
    clients
        Make the producer.
    loop
        On which deliveries are told.
    on_error
        Hears of brokers that cannot be reached, and of what the producer does not survive.
    """

    def __init__(
        self,
        clients: Clients,
        loop: asyncio.AbstractEventLoop,
        on_error: Callable[[KafkaError], None],
    ) -> None:
        self._loop = loop
        self._config = clients.config
        self._refused: set[str] = set()
        self._delivered: deque[tuple[Callable[[Delivery], None], Delivery]] = deque()
        self._producer = clients.producer(
            {
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 1,
                "message.timeout.ms": DELIVERY_TIMEOUT_MS,
                "queue.buffering.max.messages": _QUEUE_MAX,
                "log_level": 0,  # what goes wrong is told of
                "error_cb": on_loop(loop, on_error),
            }
            | clients.statistics.settings("producer")
        )
        self._stopping = Event()
        self._polling = Thread(target=self._poll, name="deliveries", daemon=True)
        self._polling.start()

    def send(
        self,
        topic: str,
        key: bytes,
        value: bytes,
        headers: list[tuple[str, str | bytes | None]],
        told: Callable[[Delivery], None],
    ) -> None:
        """Send an event; `told` is called on the loop once it is known what became of it.

        Raises
        ------
        QueueFullError
            When it is not sent.
        """
        try:
            self._producer.produce(
                topic, value, key, headers=headers, on_delivery=partial(self._note, told)
            )
        except BufferError:
            raise QueueFullError from None
        except KafkaException as error:  # it is known already that the topic refuses it
            self._log_refusal(error.args[0], topic)
            self._loop.call_soon(told, error.args[0])

    def close(self) -> None:
        """Wait until the brokers have everything, for some seconds; blocks."""
        self._stopping.set()
        self._polling.join()
        self._producer.flush(_FLUSH_S)

    def _poll(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(_POLL_S)

    def _note(
        self, told: Callable[[Delivery], None], error: KafkaError | None, message: Message
    ) -> None:
        """Hand a delivery to the loop; many that come together wake it once."""
        if error is not None:
            self._log_refusal(error, message.topic() or "")
        self._delivered.append((told, error or Delivered(message.partition() or 0)))
        if len(self._delivered) == 1:
            self._loop.call_soon_threadsafe(self._tell)

    def _log_refusal(self, error: KafkaError, topic: str) -> None:
        """Log that a right is missing, once for each topic: whoever asked is told less."""
        refused = refusal(error, self._config, Right("Write", "topic", topic))
        if refused is not None and topic not in self._refused:
            self._refused.add(topic)
            logger.error("%s", refused)

    def _tell(self) -> None:
        while self._delivered:
            told, delivery = self._delivered.popleft()
            told(delivery)
