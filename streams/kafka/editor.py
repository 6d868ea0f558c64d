"""Edits of compacted topics, one editor at a time: read, decide, write all or nothing.

Two people may edit the same record at once. Each edit is a transaction under one name that all
editors share: whoever begins takes the name over, and the broker fences the one before. So what is
read between the beginning and the end cannot have been changed by another meanwhile, or the end
fails and nothing is written.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

from streams.errors import OperationalError
from streams.kafka.access import Right
from streams.kafka.partition_reader import PartitionReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Message

    from streams.kafka.clients import Clients

_TIMEOUT_S = 30.0
_COMMITS = 4
_LOOK_EVERY_S = 0.01
_TRANSACTION_S = 600.0
"""Of a transaction: a million entries of a list take a while. Whoever edits next ends it."""
_FENCED = {
    KafkaError._FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.PRODUCER_FENCED,
}


class EditError(OperationalError):
    """An edit that was not made."""


class Written(NamedTuple):
    """A record for a topic."""

    topic: str
    key: bytes
    value: bytes | None


class Editor:
    """One edit, from its beginning to its end; nothing else may be edited meanwhile.

    Parameters
    ----------
    clients
        Make the clients.
    name
        That all editors of these topics share.

    Raises
    ------
    EditError
        When the brokers do not answer, or refuse.
    NotAllowedError
        When nobody of this name may edit here.
    """

    def __init__(self, clients: Clients, name: str) -> None:
        self._clients = clients
        self._needed = Right("Write", "transactional-id", name)
        self._topics: set[str] = set()
        self._written: dict[str, int] = {}
        self._producer: Producer = clients.producer(
            {
                "transactional.id": name,
                "transaction.timeout.ms": int(_TRANSACTION_S * 1000),
                "compression.type": "lz4",
                "partitioner": "murmur2_random",
                "log_level": 0,
            }
        )
        try:
            self._producer.init_transactions(_TIMEOUT_S)
        except KafkaException as error:
            raise self._edit_error(error) from None

    def write(self, records: Sequence[Written], told: Sequence[Written] = ()) -> None:
        """Write records, all or none of them, and wait until everybody sees them.

        A transaction is committed a moment before its end is in all partitions.

        Parameters
        ----------
        records
            For topics that are edited under this name alone.
        told
            For topics that others write as well. They are written with the rest, and not waited
            for: a transaction of somebody who has died may hide them for a while.

        Raises
        ------
        EditError
            When another edit has begun since this one did, or the brokers refuse; or when they do
            not say whether it counts.
        """
        try:
            self._producer.begin_transaction()
            for record in (*told, *records):
                self._send(record)
            self._commit()
        except KafkaException as error:
            raise self._edit_error(error) from None
        edited = {record.topic for record in records}
        for topic, offset in self._written.items():
            if topic in edited:
                self._wait_until_seen(topic, offset)

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
        raise EditError(
            "the brokers do not say whether the change was made: look at what is there now"
        )

    def _wait_until_seen(self, topic: str, offset: int) -> None:
        reader = PartitionReader(self._clients, topic, 0)
        while reader.watermarks()[1] <= offset:
            time.sleep(_LOOK_EVERY_S)
        reader.close()

    def _note(self, error: KafkaError | None, message: Message) -> None:
        """Note how far a topic was written; an error is told by the commit."""
        if error is None:
            self._written[message.topic() or ""] = message.offset() or 0

    def _send(self, record: Written) -> None:
        self._topics.add(record.topic)
        while True:
            try:
                self._producer.produce(
                    record.topic, key=record.key, value=record.value, on_delivery=self._note
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                self._producer.poll(0)
                return

    def _edit_error(self, error: KafkaException) -> OperationalError:
        found: KafkaError = error.args[0]
        if found.code() in _FENCED:
            return EditError("somebody else has made a change at this moment: nothing was written; "
                             "look at what is there now, and do it again")  # fmt: skip
        refused = self._clients.refusal_to_write(found, self._topics, self._needed)
        return refused or EditError(f"nothing was written: {found.str()}")
