"""What people do, written to its topics together with its line in the audit log."""

from __future__ import annotations

import asyncio
import logging
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from confluent_kafka import KafkaException

from agents.web.problems import unavailable
from schemas.topics import MODELS_BYTES_MAX
from streams.kafka.access import Right

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import KafkaError, Message, Producer

    from agents.web.problems import Problem
    from streams.kafka.clients import Clients
    from streams.kafka.editor import Written

logger = logging.getLogger(__name__)

_TIMEOUT_S: Final = 10.0
_COMMITS: Final = 3
_WAITING_MAX: Final = 200


class Place(NamedTuple):
    """Where a record is."""

    topic: str
    partition: int
    offset: int


class Recorder(Protocol):
    """Writes records."""

    async def write(self, records: Sequence[Written]) -> Sequence[Place]:
        """Write records, all or none, and return where they are once the brokers have them.

        Raises
        ------
        Problem
            When they do not, or do not say so.
        """


class KafkaRecorder:
    """A recorder whose records are one transaction each, in a thread of their own.

    Parameters
    ----------
    clients
        Make the producer.
    name
        How its transactional id begins; no two consoles have the same.
    """

    def __init__(self, clients: Clients, name: str) -> None:
        self._clients = clients
        self._id = f"{name}.{uuid.uuid4().hex[:12]}"
        self._thread = ThreadPoolExecutor(1, "recorder")
        self._made: Producer | None = None
        self._waiting = 0

    async def write(self, records: Sequence[Written]) -> Sequence[Place]:
        """See `Recorder.write`."""
        if self._waiting >= _WAITING_MAX:
            raise unavailable("too much is being written at this moment: nothing was done")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._write, records)
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Wait for what is being written, and disconnect."""
        await asyncio.to_thread(self._thread.shutdown)

    def _write(self, records: Sequence[Written]) -> Sequence[Place]:
        places: list[Place] = []

        def note(error: KafkaError | None, message: Message) -> None:
            if error is None:  # which else fails the commit
                topic, partition = message.topic() or "", message.partition() or 0
                places.append(Place(topic, partition, message.offset() or 0))

        try:
            producer = self._producer()
            producer.begin_transaction()
            for each in records:
                producer.produce(each.topic, each.value, each.key, on_delivery=note)
            producer.flush(_TIMEOUT_S)
        except (KafkaException, BufferError) as error:
            self._made = None  # the next one aborts what this has begun
            raise self._not_done(error, records) from None
        self._commit(producer, records)
        return places

    def _commit(self, producer: Producer, records: Sequence[Written]) -> None:
        """Commit, and ask again while the brokers do not answer: it may count already."""
        for _ in range(_COMMITS):
            try:
                producer.commit_transaction(_TIMEOUT_S)
            except KafkaException as error:
                if not error.args[0].retriable():
                    self._made = None
                    raise self._not_done(error, records) from None
            else:
                return
        self._made = None
        raise unavailable("Kafka does not say whether it was done: look at what is there now")

    def _producer(self) -> Producer:
        if self._made is None:
            self._made = self._clients.producer(
                {
                    "transactional.id": self._id,
                    "partitioner": "murmur2_random",
                    "message.max.bytes": MODELS_BYTES_MAX,
                    "log_level": 0,
                }
            )
            self._made.init_transactions(_TIMEOUT_S)
        return self._made

    def _not_done(self, error: KafkaException | BufferError, records: Sequence[Written]) -> Problem:
        """Return what is told to who asked; which right is missing is for the log."""
        told = "too much waits for it"
        if isinstance(error, KafkaException):
            told = error.args[0].str()
            topics = [record.topic for record in records]
            needed = Right("Write", "transactional-id", self._id)
            refused = self._clients.refusal_to_write(error.args[0], topics, needed)
            if refused is not None:
                logger.error("%s", refused)
        return unavailable(f"Kafka does not take it, and nothing was done: {told}")
