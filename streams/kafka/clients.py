"""Where the stream machinery has its Kafka clients, threads and clock from.

In one place, so that a simulation can put a broker, threads and a clock of its own in theirs.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import cached_property
from threading import Thread
from time import monotonic
from typing import Any, Protocol, TypeVar

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AclOperation, OffsetSpec

from streams.kafka.access import NotAllowedError, Right, raise_if_refused, refusal
from streams.kafka.assignment import partitions_in
from streams.kafka.config import CONSUMER_SETTINGS, LASTING_SETTINGS, Admin, Config
from streams.kafka.password_file import new_consumer, new_producer
from streams.kafka.retry import Outage, RetryPolicy
from streams.kafka.statistics import ClientStatistics

Answer = TypeVar("Answer")

_ANSWER_S = 2.0  # a worker that stops waits for no longer


class Joinable(Protocol):
    """Something that runs beside its maker."""

    def join(self, timeout: float) -> None:
        """Wait until it has ended, for at most so many seconds."""


class Clients:
    """Makes the clients of one cluster, and what runs and measures beside them.

    Parameters
    ----------
    config
        Client settings (`streams.kafka.config.client_config`).

    Attributes
    ----------
    retry
        Retry policy for an unreachable broker.
    statistics
        Of the clients that are made with its settings.
    """

    def __init__(self, config: Config) -> None:
        self.config = config | LASTING_SETTINGS
        self.retry = RetryPolicy()
        self.statistics = ClientStatistics()
        self._outage = Outage(self.clock)

    def consumer(
        self, settings: Mapping[str, object], on_error: Callable[[KafkaError], None] | None = None
    ) -> Consumer:
        """Return a consumer of these settings; `on_error` hears of what it waits for.

        Else that is logged now and then.
        """
        told = {"error_cb": on_error or self._outage.hear}
        config = self.config | CONSUMER_SETTINGS | dict[str, Any](settings) | told
        return new_consumer(config, logger=logging.getLogger("kafka"))

    def producer(self, settings: Mapping[str, object]) -> Producer:
        """Return a producer of these settings; what it waits for is logged now and then."""
        told: dict[str, Any] = {"error_cb": self._outage.hear}
        config = self.config | told | dict[str, Any](settings)
        return new_producer(config, logger=logging.getLogger("kafka"))

    def stable_assignment(self, group: str) -> dict[str, set[int]]:
        """Return the partitions of each member of a group by its id; none while it rebalances.

        Raises
        ------
        KafkaException
            When the broker does not answer.
        """
        # By the older call: `describe_consumer_groups` of librdkafka 2.16 aborts the process when
        # the connection to the coordinator is lost meanwhile (its pull request 5397).
        groups: list[Any] = self._admin.list_groups(group, timeout=_ANSWER_S)
        for found in groups:
            if found.error is not None:
                raise KafkaException(found.error)
            if found.state == "Stable":
                return {member.id: partitions_in(member.assignment) for member in found.members}
        return {}

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has.

        Raises
        ------
        KafkaException
            When the broker does not answer.
        NotAllowedError
            When it may not tell.
        """
        found = self._admin.list_topics(topic, timeout=_ANSWER_S).topics[topic]
        if found.error is not None:
            raise_if_refused(found.error, self.config, Right("Describe", "topic", topic))
        return len(found.partitions)

    def ends(self, topics: Sequence[str], partitions: int) -> dict[str, list[int]]:
        """Return where the partitions of topics end, with what is not committed yet.

        Raises
        ------
        KafkaException
            When the broker does not answer.
        """
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]
        answers = self._admin.list_offsets(
            dict.fromkeys(asked, latest),
            isolation_level=IsolationLevel.READ_UNCOMMITTED,
            request_timeout=_ANSWER_S,
        )
        try:
            ends = {(at.topic, at.partition): end.result().offset for at, end in answers.items()}
        except KafkaException:
            self._admin.find_leaders()
            raise
        return {topic: [ends[topic, number] for number in range(partitions)] for topic in topics}

    def answer_to(self, question: Callable[[], Answer], *needed: Right) -> Answer:
        """Return a broker's answer; see `RetryPolicy.ask`.

        Raises
        ------
        NotAllowedError
            When one of the rights that are needed is missing.
        """
        try:
            return self.retry.ask(question)
        except KafkaException as exception:
            raise_if_refused(exception.args[0], self.config, *needed)
            raise

    def refusal_to_write(
        self, error: KafkaError, topics: Iterable[str], *needed: Right
    ) -> NotAllowedError | None:
        """Return what tells which right a writer lacks, if that is what an error is about.

        A transaction is refused as a whole, and the client does not tell for which of its topics.
        """
        if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            refused = (Right("Write", "topic", topic) for topic in self._not_writable(topics))
            needed = (*refused, *needed)
        return refusal(error, self.config, *needed)

    def _not_writable(self, topics: Iterable[str]) -> list[str]:
        """Return those of some topics that may not be written to."""
        asked = self._admin.describe_topics(
            TopicCollection(list(topics)),
            include_authorized_operations=True,
            request_timeout=_ANSWER_S,
        )
        return [
            topic
            for topic, answer in asked.items()
            if answer.exception() is not None
            or AclOperation.WRITE not in answer.result().authorized_operations
        ]

    @cached_property
    def _admin(self) -> Admin:
        return Admin(self.config)

    def executor(self, name: str) -> Executor:
        """Return what runs calls one after the other in a thread of its own."""
        return ThreadPoolExecutor(1, name)

    def outcome(self, call: Future[Answer]) -> Answer:
        """Wait for a call of an executor, and return what it returned or raise what it raised."""
        return call.result()

    def thread(self, run: Callable[[], None]) -> Joinable:
        """Run something in a thread that may be left behind."""
        thread = Thread(target=run, daemon=True)
        thread.start()
        return thread

    def clock(self) -> float:
        """Return seconds of a clock that never goes back."""
        return monotonic()


class Attempt:
    """A call that may never return, in a thread of its own that is then left behind.

    Parameters
    ----------
    clients
        Start the thread.
    call
        What is called.
    """

    def __init__(self, clients: Clients, call: Callable[[], object]) -> None:
        self._call = call
        self._outcome: list[Exception | None] = []
        self._thread = clients.thread(self._run)

    def has_ended(self, timeout_s: float) -> bool:
        """Wait for its end so many seconds, and tell whether it has come; raises what it raised."""
        self._thread.join(timeout_s)
        if self._outcome and self._outcome[0] is not None:
            raise self._outcome[0]
        return bool(self._outcome)

    def _run(self) -> None:
        try:
            self._call()
        except Exception as failure:
            self._outcome.append(failure)
        else:
            self._outcome.append(None)
