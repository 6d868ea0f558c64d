"""The worker's one producer: everything it writes goes through it, in transactions or without."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any, NamedTuple, cast

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from schemas.topics import MODELS_BYTES_MAX
from streams.errors import OperationalError
from streams.events.headers import Headers
from streams.events.rejected import Rejected
from streams.kafka.access import Right
from streams.kafka.clients import Attempt, Clients

logger = logging.getLogger(__name__)

_CALL_TIMEOUT_S = 1.0  # of a call that is made again until it succeeds, or the worker stops
_QUEUE_FULL_WAIT_S = 0.05
_HUNG_S, _HUNG_MAX_S = 2.0, 8.0
_TIMES_AS_LONG = 4


class NotDeliveredError(OperationalError):
    """The broker has refused an output."""


class AbortableError(RuntimeError):
    """What was sent since the last commit does not count, and must be undone."""


class UnknownOutcomeError(AbortableError):
    """What was sent since the last commit may count or not: the broker has not said it."""


class Outputs(NamedTuple):
    """Keys and values for a topic; see `TransactionalProducer.send`."""

    topic: str
    messages: Sequence[tuple[bytes | None, bytes | None]]
    partition: int = -1
    reached: dict[int, int] | None = None
    headers: Sequence[Headers] | None = None


class TransactionalProducer:
    """Writes the outputs of a worker.

    A commit may end in another thread. What is sent meanwhile is held back if it may not be in the
    same transaction::

        send ... hold ──▶ prepare ──▶ commit, in another thread ──▶ release
                      └─▶ send ... held back ─────────────────────┘

    Parameters
    ----------
    clients
        Makes the client.
    transactional_id
        Names the worker to the broker, which fences an earlier one of the same name. `None`
        writes without transactions, at least once.
    transaction_timeout_ms
        How long the broker lets a silent worker's transaction hold up read_committed readers.
    """

    def __init__(
        self,
        clients: Clients,
        transactional_id: str | None,
        transaction_timeout_ms: int,
    ) -> None:
        self._clients = clients
        self._retry = clients.retry
        self._settings: dict[str, object] = {
            "enable.idempotence": True,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "linger.ms": 2,
            "batch.num.messages": 100_000,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 1 << 18,
            "message.max.bytes": MODELS_BYTES_MAX,  # the most that any topic takes
        } | clients.statistics.settings("producer")
        self._needed = [Right("IdempotentWrite", "cluster")]
        if transactional_id is not None:
            self._needed.append(Right("Write", "transactional-id", transactional_id))
            self._settings["transactional.id"] = transactional_id
            self._settings["transaction.timeout.ms"] = transaction_timeout_ms
        self._is_transactional = transactional_id is not None
        self._is_held = False
        self._held: list[Callable[[], None]] = []
        self._in_transaction = False
        self._is_broken = False
        self._hangs_after_s = _HUNG_S
        self._failure: KafkaError | None = None
        self._failed_topic = ""
        self._written = set[str]()
        self._reaching = set[int]()  # what has been sent of which the offset is not known
        self._sent = count()
        self._producer = self._connect()

    def send(
        self,
        topic: str,
        messages: Sequence[tuple[bytes | None, bytes | None]],
        partition: int = -1,
        reached: dict[int, int] | None = None,
        headers: Sequence[Headers] | None = None,
    ) -> None:
        """Send keys and values to a topic, or hold them back; waits while the queue is full.

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
        headers
            Those of the N messages, where any has some; such messages cost more.
        """
        if not messages:
            return
        if self._is_held:
            self._held.append(partial(self.send, topic, messages, partition, reached, headers))
            return
        self._send(Outputs(topic, messages, partition, reached, headers))

    def send_rejected(self, topic: str, rejected: Sequence[Rejected]) -> None:
        """Send rejected inputs with their headers, or hold them back."""
        if not rejected:
            return
        if self._is_held:
            self._held.append(partial(self.send_rejected, topic, rejected))
            return
        self._begin()
        self._written.add(topic)
        for copy in rejected:
            self._produce(topic, copy.key, copy.value, [*copy.headers, *copy.carried])

    def poll(self) -> None:
        """Let the client tell its statistics, as it does whenever it sends something."""
        with suppress(KafkaException):  # of which the next thing that is asked of it tells again
            self._producer.poll(0)

    def await_reached(self) -> None:
        """Wait until the broker has told all offsets that are reached with what was sent.

        What was sent early in a turn is there at its end, while its last outputs may linger.

        Raises
        ------
        AbortableError
            When nothing of it counts.
        StoppedError
            When the broker does not answer and the worker stops.
        """
        waiting = self._retry.waiting()
        while self._reaching:
            self._serve(self._producer.poll, _CALL_TIMEOUT_S)
            if self._reaching:
                waiting.say("the broker does not take our output")

    def hold(self) -> None:
        """Hold back what is sent from now on, as a transaction is about to end without it."""
        self._is_held = self._is_transactional

    def release(self) -> None:
        """Send what was held back, in a transaction of its own."""
        self._is_held = False
        held, self._held = self._held, []
        for send in held:
            send()

    def prepare(
        self, last: Sequence[Outputs], offsets: Sequence[TopicPartition], group: object
    ) -> None:
        """Have the broker take everything that a commit makes visible.

        Without transactions what comes `last` is sent once the broker has the rest.

        Parameters
        ----------
        last
            Outputs beside those sent so far.
        offsets
            Positions of the inputs.
        group
            What names the member they are committed for.

        Raises
        ------
        AbortableError
            When nothing of it counts.
        NotDeliveredError
            When the broker has refused an output.
        StoppedError
            When the broker does not answer and the worker stops.
        """
        if not self._is_transactional:
            self._deliver()
        for outputs in last:
            self._send(outputs)
        if self._is_transactional:
            self._begin()
            self._call(self._send_offsets, list(offsets), group)
            self._flush()  # tells the offsets that were reached
        else:
            self._deliver()

    def commit(self, offsets: Sequence[TopicPartition], consumer: Consumer) -> None:
        """Make everything that was prepared visible, together with the input offsets.

        Without transactions it is visible already, and the offsets are committed.

        Parameters
        ----------
        offsets
            Positions of the inputs, as prepared.
        consumer
            The member of the group they are committed for.

        Raises
        ------
        UnknownOutcomeError
            When nothing of it counts, or all of it.
        StoppedError
            When the broker does not answer and the worker stops.
        """
        if self._is_transactional:
            try:
                self._call(self._producer.commit_transaction)
            except AbortableError as error:  # perhaps of a retry, and the first call was heard
                raise UnknownOutcomeError(str(error)) from error
            self._in_transaction = False
            return
        try:
            consumer.commit(offsets=list(offsets), asynchronous=False)
        except KafkaException as exception:
            raise UnknownOutcomeError(exception.args[0].str()) from exception

    def abort(self) -> None:
        """Undo everything sent since the last commit.

        Raises
        ------
        StoppedError
            When the broker does not answer and the worker stops.
        """
        self._is_held = False
        self._held.clear()
        self._reaching.clear()
        if self._in_transaction and not self._is_broken:
            try:
                self._call(self._producer.abort_transaction)
            except AbortableError:
                self._is_broken = True
        if self._is_broken and not self._retry.stopping.is_set():
            # One that may not write any more can only be replaced. The broker has aborted its
            # transaction, or does so before the new one may begin its first.
            logger.warning("the producer was fenced off, timed out or hangs, and is replaced")
            self._producer = self._connect()
        self._in_transaction = self._is_broken = False

    def _send(self, outputs: Outputs) -> None:
        topic, messages, partition, reached, headers = outputs
        self._begin()
        self._written.add(topic)
        if headers is not None:  # of which a batch of the client can have none
            assert reached is None
            for (key, value), own in zip(messages, headers, strict=True):
                self._produce(topic, key, value, list(own))
            return
        queued: list[dict[str, Any]] = [{"key": key, "value": value} for key, value in messages]
        if not self._is_transactional:  # a transaction's commit tells of every failure by itself
            for message in queued:
                message["callback"] = self._on_delivery
        if reached is not None:
            number = next(self._sent)
            self._reaching.add(number)
            queued[-1]["callback"] = partial(self._on_last, reached, number)
        waiting = self._retry.waiting()
        while queued:
            self._producer.produce_batch(topic, queued, partition=partition)
            queued = [message for message in queued if self._must_wait(message, topic)]
            if queued:
                self._serve(self._producer.poll, _QUEUE_FULL_WAIT_S)
                waiting.say("the broker does not take our output")

    def _produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, str | bytes | None]],
    ) -> None:
        """Send one message with headers; wait while the queue is full."""
        waiting = self._retry.waiting()
        while True:
            try:
                self._producer.produce(
                    topic, value, key, headers=headers, on_delivery=self._on_delivery
                )
            except BufferError:
                self._serve(self._producer.poll, _QUEUE_FULL_WAIT_S)
                waiting.say("the broker does not take our output")
            except KafkaException as exception:
                raise self._failed(exception, topic) from exception
            else:
                return

    def _begin(self) -> None:
        if self._is_transactional and not self._in_transaction:
            try:
                self._producer.begin_transaction()
            except KafkaException as exception:
                raise self._failed(exception) from exception
            self._in_transaction = True

    def _on_last(
        self, reached: dict[int, int], number: int, error: KafkaError | None, last: Message
    ) -> None:
        self._on_delivery(error, last)
        self._reaching.discard(number)
        if error is None:
            reached[cast("int", last.partition())] = cast("int", last.offset()) + 1

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and self._failure is None:
            self._failure = error
            self._failed_topic = cast("str", message.topic())

    def _must_wait(self, message: dict[str, Any], topic: str) -> bool:
        """Tell whether a message found the queue full."""
        error: KafkaError | None = message.pop("_error", None)
        if error is None:
            return False
        if error.code() != KafkaError._QUEUE_FULL:
            raise self._failed(KafkaException(error), topic)
        return True

    def _failed(self, exception: KafkaException, topic: str = "") -> Exception:
        """Return what to raise: in a transaction almost any failure is undone by an abort.

        But not what is not allowed: it would be refused again.
        """
        error: KafkaError = exception.args[0]
        topics = [topic] if topic else self._written
        refused = self._clients.refusal_to_write(error, topics, *self._needed)
        if refused is not None:
            return refused
        # What finds the client in a fatal state is told so by the code alone.
        is_fatal = error.fatal() or error.code() == KafkaError._FATAL
        self._is_broken = self._is_broken or is_fatal
        if is_fatal or error.txn_requires_abort() or error.code() == KafkaError._STATE:
            return AbortableError(error.str())
        return exception

    def _connect(self) -> Producer:
        producer = self._clients.producer(self._settings)
        if self._is_transactional:
            self._call(partial(_init, producer))
        return producer

    def _send_offsets(
        self, offsets: list[TopicPartition], group: object, look_every_s: float
    ) -> None:
        """Send offsets in a thread of its own, as the client may wait for ever.

        librdkafka 2.16 can miss that a group has another coordinator, or its own is back, whatever
        timeout it is given (its issues 5456 and 5511). The thread and the producer it hangs in are
        then left behind. It is given some times as long as the one before, and twice as long after
        each one that was given up: brokers may be as slow as that. So is the client, which would
        throw away an answer that comes later, and ask again.
        """
        patience_s = self._hangs_after_s
        send = partial(self._producer.send_offsets_to_transaction, offsets, group, patience_s)
        sending, began = Attempt(self._clients, send), self._clients.clock()
        for _ in range(round(patience_s / look_every_s)):
            if sending.has_ended(look_every_s):
                took_s = self._clients.clock() - began
                self._hangs_after_s = min(max(_HUNG_S, _TIMES_AS_LONG * took_s), _HUNG_MAX_S)
                return
            if self._retry.stopping.is_set():
                break
        self._is_broken = True
        self._hangs_after_s = min(2 * self._hangs_after_s, _HUNG_MAX_S)
        raise AbortableError("the client hangs on its offsets")

    def _deliver(self) -> None:
        """Wait until the broker has everything sent so far."""
        self._flush()
        if self._failure is not None:
            topics = [self._failed_topic]
            refused = self._clients.refusal_to_write(self._failure, topics, *self._needed)
            raise refused or NotDeliveredError(f"an output was refused: {self._failure.str()}")

    def _flush(self) -> None:
        waiting = self._retry.waiting()
        while self._serve(self._producer.flush, _CALL_TIMEOUT_S) > 0:
            waiting.say("the broker does not take our output")

    def _serve(self, operation: Callable[[float], int], timeout_s: float) -> int:
        """Poll or flush, which is where the client raises an error that it has met meanwhile."""
        try:
            return operation(timeout_s)
        except KafkaException as exception:
            raise self._failed(exception) from exception

    def _call(self, operation: Callable[..., object], *arguments: object) -> None:
        """Call a transactional operation, again where the client says that this is right."""
        waiting = self._retry.waiting()
        while True:
            try:
                operation(*arguments, _CALL_TIMEOUT_S)
            except KafkaException as exception:
                error: KafkaError = exception.args[0]
                if not error.retriable():
                    raise self._failed(exception) from exception
                waiting.say(error.str())
            else:
                return


def _init(producer: Producer, timeout_s: float) -> None:
    try:
        producer.init_transactions(timeout_s)
    except KafkaException:
        producer.poll(0)  # in which the client says why it gets no answer
        raise
