"""Retries while a broker, or a schema registry, cannot be reached.

As long as it takes, unless the worker stops.
"""

import logging
from collections.abc import Callable
from math import inf
from threading import Event
from time import monotonic, sleep
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException

from streams.errors import OperationalError
from streams.kafka.remedies import with_remedy

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_SAID_EVERY_S = 5.0
_ASKED_EVERY_S = 0.1


class StoppedError(OperationalError):
    """The worker stops while the broker does not answer; what was not committed is done again."""


class RetryPolicy:
    """Retry policy for an unreachable broker, shared by all that waits for it in a worker.

    Attributes
    ----------
    stopping
        Set it to wait no longer.
    on_wait
        Called now and then while something waits.
    rest
        Lets seconds pass.
    """

    def __init__(
        self, clock: Callable[[], float] = monotonic, rest: Callable[[float], None] = sleep
    ) -> None:
        self.stopping = Event()
        self.on_wait: Callable[[], None] = _nothing
        self._clock = clock
        self.rest = rest

    def waiting(self, for_whom: str = "Kafka") -> "Waiting":
        """Return a wait that begins now."""
        return Waiting(self, self._clock, for_whom)

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Return a broker's answer, asked for again while it is away or has only just come back.

        Raises
        ------
        KafkaException
            When it refuses the answer.
        StoppedError
            When the worker stops before there is one.
        """
        waiting = self.waiting()
        while True:
            try:
                return question()
            except KafkaException as exception:
                waiting.wait_out(exception)


class Waiting:
    """A wait for a broker or another service, logged now and then."""

    def __init__(self, retry: RetryPolicy, clock: Callable[[], float], for_whom: str) -> None:
        self._retry = retry
        self._clock = clock
        self._for_whom = for_whom
        self._said_at = clock()

    def wait_out(self, exception: KafkaException) -> None:
        """Rest after a transient error; raise any other."""
        error: KafkaError = exception.args[0]
        if error.code() not in _TRANSIENT:
            raise exception
        self.say(error.str())
        self._retry.rest(_ASKED_EVERY_S)

    def say(self, what: str) -> None:
        """Log what is waited for, unless that was done lately.

        Raises
        ------
        StoppedError
            When the worker stops.
        """
        if self._retry.stopping.is_set():
            raise StoppedError(f"stopped while waiting for {self._for_whom}: {what}")
        self._retry.on_wait()
        if self._clock() - self._said_at > _SAID_EVERY_S:
            logger.warning("waiting for %s: %s", self._for_whom, what)
            self._said_at = self._clock()


class Outage:
    """Hears what a client says of brokers that it cannot reach, and passes it on now and then.

    librdkafka tells of every connection that is refused: hundreds of times in some seconds.

    Attributes
    ----------
    is_complete
        Whether no broker could be reached when it last said so; set it back when one answers.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.is_complete = False
        self._clock = clock
        self._said_at: dict[int, float] = {}

    def hear(self, error: KafkaError) -> None:
        """Take an error of a client that goes on by itself; say it, unless its like was lately."""
        code, now = error.code(), self._clock()
        self.is_complete = self.is_complete or code == KafkaError._ALL_BROKERS_DOWN
        if now - self._said_at.get(code, -inf) > _SAID_EVERY_S:
            logger.warning("Kafka: %s", with_remedy(error))
            self._said_at[code] = now


def _nothing() -> None:
    """Do nothing."""


_TRANSIENT = {
    KafkaError._TIMED_OUT,
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._DESTROY_BROKER,  # of a question to a broker whose connection is given up
    KafkaError._WAIT_COORD,
    # Of a password or certificate that is changed meanwhile; librdkafka says it, too, of a broker
    # that goes away amid the handshake. What is wrong from the start has been told before.
    KafkaError._AUTHENTICATION,
    KafkaError._SSL,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError._NOENT,  # no leader is known
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_COORDINATOR,
    KafkaError.UNSTABLE_OFFSET_COMMIT,
}
