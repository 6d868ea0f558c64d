"""What is written to the changelogs, in transactions that move records or leave them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from confluent_kafka import KafkaError, KafkaException, Producer

from agents.growing.moves import GrowError
from streams.kafka.access import Right

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from confluent_kafka import Message

    from agents.growing.moves import Changes
    from streams.kafka.clients import Clients

    Headers = list[tuple[str, str | bytes | None]] | None

_TIMEOUT_S: Final = 30.0
_COMMITS: Final = 10


class Changelogs:
    """Writes to the changelogs of all tasks.

    Parameters
    ----------
    clients
        Makes the client.
    topic
        The changelogs'.
    transactional_id
        Whoever takes it next fences this one.

    Raises
    ------
    GrowError, NotAllowedError
        When the brokers do not answer, or refuse; so do all methods.
    """

    def __init__(self, clients: Clients, topic: str, transactional_id: str) -> None:
        self._clients = clients
        self._topic = topic
        self._needed = Right("Write", "transactional-id", transactional_id)
        self._producer: Producer = clients.producer(
            {
                "transactional.id": transactional_id,
                "transaction.timeout.ms": 60_000,
                "compression.type": "lz4",
                "partitioner": "murmur2_random",
                "batch.num.messages": 100_000,
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 0,
            }
        )
        try:
            self._producer.init_transactions(_TIMEOUT_S)
        except KafkaException as error:
            raise self._refused(error, []) from None

    def write(
        self, changes: Changes, forwarded: Mapping[str, Sequence[Message]] | None = None
    ) -> None:
        """Write changes, all or none of them.

        Parameters
        ----------
        changes
            By task.
        forwarded
            Messages to send again by their keys, by topic.
        """
        sent = forwarded or {}
        try:
            self._producer.begin_transaction()
            for task, of_task in changes.items():
                for key, value in of_task.items():
                    self._send(self._topic, key, value, task)
            for topic, messages in sent.items():
                for message in messages:
                    headers = cast("Headers", message.headers())
                    self._send(topic, message.key(), message.value(), -1, headers)
            self._commit()
        except KafkaException as error:
            raise self._refused(error, [self._topic, *sent]) from None

    def _send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int,
        headers: Headers = None,
    ) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, partition, headers=headers or [])
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _commit(self) -> None:
        """Commit, and ask again while the brokers do not answer: it may count already."""
        for _ in range(_COMMITS):
            try:
                self._producer.commit_transaction(_TIMEOUT_S)
            except KafkaException as error:
                if not error.args[0].retriable():
                    raise
            else:
                return
        raise GrowError("the brokers do not answer; type the command again: it goes on from there")

    def _refused(self, error: KafkaException, topics: Sequence[str]) -> Exception:
        found: KafkaError = error.args[0]
        refused = self._clients.refusal_to_write(found, topics, self._needed)
        return refused or GrowError(
            f"stopped: {found.str()}; type the command again: it goes on from there"
        )
