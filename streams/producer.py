"""The worker's one producer: everything it writes goes through it, in transactions or without."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from streams.decoding import Rejected
from streams.errors import OperationalError

TRANSACTION_TIMEOUT_MS = 20_000
"""How long the broker lets a silent worker's transaction hold up read_committed readers."""

_CALL_TIMEOUT_S = 30.0
_QUEUE_FULL_WAIT_S = 0.05


class FencedError(OperationalError):
    """The producer may not write any more, as a rule since another worker took its name."""


class AbortableError(RuntimeError):
    """The transaction has failed and must be aborted; nothing of it is visible."""


class OutputProducer:
    """Writes the outputs of a worker.

    Parameters
    ----------
    config
        Client settings (`streams.client.client_config`).
    transactional_id
        Names the worker to the broker, which fences an earlier one of the same name. `None`
        writes without transactions, at least once.
    """

    def __init__(self, config: Mapping[str, object], transactional_id: str | None) -> None:
        settings: dict[str, object] = {
            **config,
            "enable.idempotence": True,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "linger.ms": 2,
            "batch.num.messages": 100_000,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 1 << 19,
            "message.max.bytes": 2 << 20,  # a rejected copy of the largest input, with its headers
        }
        if transactional_id is not None:
            settings["transactional.id"] = transactional_id
            settings["transaction.timeout.ms"] = TRANSACTION_TIMEOUT_MS
        self._producer = Producer(settings, logger=logging.getLogger("kafka"))
        self._is_transactional = transactional_id is not None
        self._in_transaction = False
        self._failure: KafkaError | None = None
        if self._is_transactional:
            _call(self._producer.init_transactions, _CALL_TIMEOUT_S)

    def send(
        self,
        topic: str,
        messages: Sequence[tuple[bytes | None, bytes | None]],
        partition: int = -1,
        reached: dict[int, int] | None = None,
    ) -> None:
        """Send keys and values to a topic; waits while the queue is full.

        Parameters
        ----------
        topic
            Where to.
        messages
            N keys and values.
        partition
            Where in the topic; by the hash of the key when it is negative.
        reached
            Gets the offset after the last message under its partition, before the commit returns.
        """
        if not messages:
            return
        self._begin()
        queued: list[dict[str, Any]] = [{"key": key, "value": value} for key, value in messages]
        if not self._is_transactional:  # a transaction's commit tells of every failure by itself
            for message in queued:
                message["callback"] = self._on_delivery
        if reached is not None:
            queued[-1]["callback"] = partial(self._on_last, reached)
        while queued:
            self._producer.produce_batch(topic, queued, partition=partition)
            queued = [message for message in queued if _must_wait(message.pop("_error", None))]
            if queued:
                self._producer.poll(_QUEUE_FULL_WAIT_S)

    def send_rejected(self, topic: str, rejected: Sequence[Rejected]) -> None:
        """Send rejected inputs with their headers."""
        if rejected:
            self._begin()
        for copy in rejected:
            self._producer.produce(
                topic,
                copy.value,
                copy.key,
                headers=list(copy.headers),
                on_delivery=self._on_delivery,
            )

    def commit(self, offsets: Sequence[TopicPartition], group: object) -> None:
        """Make everything sent since the last commit visible, together with the input offsets.

        Without transactions: wait until the broker has everything; offsets are not touched.

        Raises
        ------
        AbortableError
            When the transaction must be aborted.
        FencedError
            When this producer may not write any more.
        KafkaException
            When the broker cannot be worked with at all.
        """
        if self._is_transactional:
            self._begin()
            _call(self._producer.send_offsets_to_transaction, list(offsets), group, _CALL_TIMEOUT_S)
            _call(self._producer.commit_transaction, _CALL_TIMEOUT_S)
            self._in_transaction = False
            return
        if self._producer.flush(_CALL_TIMEOUT_S) > 0:
            raise KafkaException(
                KafkaError(KafkaError._TIMED_OUT, "the broker does not take our output")
            )
        if self._failure is not None:
            raise KafkaException(self._failure)

    def abort(self) -> None:
        """Undo everything sent since the last commit."""
        if self._in_transaction:
            _call(self._producer.abort_transaction, _CALL_TIMEOUT_S)
            self._in_transaction = False

    def poll(self) -> None:
        """Serve delivery reports."""
        self._producer.poll(0)

    def _begin(self) -> None:
        if self._is_transactional and not self._in_transaction:
            self._producer.begin_transaction()
            self._in_transaction = True

    def _on_last(self, reached: dict[int, int], error: KafkaError | None, last: Message) -> None:
        self._on_delivery(error, last)
        if error is None:
            reached[cast("int", last.partition())] = cast("int", last.offset()) + 1

    def _on_delivery(self, error: KafkaError | None, _: Message) -> None:
        if error is not None and self._failure is None:
            self._failure = error


def _must_wait(error: KafkaError | None) -> bool:
    """Tell whether a message found the queue full; any other error is raised."""
    if error is None:
        return False
    if error.code() != KafkaError._QUEUE_FULL:
        raise KafkaException(error)
    return True


def _call(operation: Callable[..., object], *arguments: object) -> None:
    """Call a transactional operation, again where the client says that this is right."""
    while True:
        try:
            operation(*arguments)
        except KafkaException as exception:
            error: KafkaError = exception.args[0]
            if error.fatal():
                raise FencedError(error.str()) from exception
            if error.txn_requires_abort():
                raise AbortableError(error.str()) from exception
            if not error.retriable():
                raise
        else:
            return
