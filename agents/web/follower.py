"""The topics that every replica follows, all partitions of them, in no group."""

from __future__ import annotations

import logging
from threading import Event, Semaphore, Thread
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from confluent_kafka import KafkaError, TopicPartition

from streams.errors import OperationalError
from streams.kafka.access import Right, raise_if_refused
from streams.kafka.roles import GATEWAY

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence

    from confluent_kafka import Message

    from streams.kafka.clients import Clients

logger = logging.getLogger(__name__)

Ends = dict[tuple[str, int], int]
"""Offsets by topic and partition."""

_POLL_S: Final = 0.1
_AT_A_TIME: Final = 1000
_AHEAD: Final = 4
"""Batches that wait for the event loop; then no more are read."""

_FETCH_WAIT_MS: Final = 10
"""An end is known so long after a transaction, where nothing follows it."""

_CLOSE_S: Final = 10.0


class Followed(NamedTuple):
    """A topic, and where to begin in each of its partitions.

    `read` makes of a message, in the follower's thread, what is called on the event loop to take
    it; `None` if there is nothing to take.
    """

    topic: str
    begin: Mapping[int, int]
    read: Callable[[Message], Callable[[], None] | None]


def on_loop(
    loop: asyncio.AbstractEventLoop, hear: Callable[[KafkaError], None]
) -> Callable[[KafkaError], None]:
    """Return what hands errors of a client to somebody who hears of them on a loop."""

    def hand_over(error: KafkaError) -> None:
        loop.call_soon_threadsafe(hear, error)

    return hand_over


class Follower:
    """Reads what is committed, in a thread of its own, and hands it to an event loop in order.

    Parameters
    ----------
    clients
        Make the consumer.
    loop
        Where what is read is taken.
    on_error
        Hears on the loop of brokers that cannot be reached.
    followed
        The topics.
    """

    def __init__(
        self,
        clients: Clients,
        loop: asyncio.AbstractEventLoop,
        on_error: Callable[[KafkaError], None],
        followed: Sequence[Followed],
    ) -> None:
        self._loop = loop
        self._config = clients.config
        self._failure: OperationalError | None = None
        self._read_of = {each.topic: each.read for each in followed}
        self._reached: Ends = {}
        self._waiting: list[tuple[Ends, asyncio.Future[None]]] = []
        self._consumer = clients.consumer(
            {
                "group.id": GATEWAY,  # required, and never joined
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",  # of what retention has taken meanwhile
                "fetch.wait.max.ms": _FETCH_WAIT_MS,
                "log_level": 0,
            }
            | clients.statistics.settings("follower"),
            on_loop(loop, on_error),
        )
        self._consumer.assign(
            [
                TopicPartition(each.topic, number, offset)
                for each in followed
                for number, offset in each.begin.items()
            ]
        )
        self._room = Semaphore(_AHEAD)
        self._stopping = Event()
        self._reading = Thread(target=self._run, name="follower", daemon=True)
        self._reading.start()

    @property
    def is_running(self) -> bool:
        """Whether it still reads: an error that it does not know ends it, and is logged."""
        return self._reading.is_alive()

    async def until(self, ends: Ends) -> None:
        """Wait until everything before these offsets has been taken.

        Raises
        ------
        NotAllowedError
            When a topic may not be read.
        """
        if self._failure is not None:
            raise self._failure
        if self._is_past(ends):
            return
        waiting = self._loop.create_future()
        self._waiting.append((ends, waiting))
        await waiting

    def close(self) -> None:
        """Stop; blocks for a moment."""
        self._stopping.set()
        self._room.release()
        self._reading.join(_CLOSE_S)
        self._consumer.close()

    def _run(self) -> None:
        try:
            self._follow()
        except OperationalError as failure:
            self._loop.call_soon_threadsafe(self._fail, failure)
        except Exception:
            logger.exception("the topics cannot be followed any more")

    def _follow(self) -> None:
        while not self._stopping.is_set():
            first = self._consumer.poll(_POLL_S)
            if first is None:
                continue
            messages = [first, *self._consumer.consume(_AT_A_TIME, timeout=0)]
            taken, reached = self._read(messages)
            self._room.acquire()
            self._loop.call_soon_threadsafe(self._take, taken, reached)

    def _read(self, messages: Sequence[Message]) -> tuple[list[Callable[[], None]], Ends]:
        """Return what is to be taken, and how far the partitions have been read.

        The last offset of a transactional partition is a marker that is never delivered: the client
        tells the end by itself.
        """
        taken: list[Callable[[], None]] = []
        reached = Ends()
        for message in messages:
            error, topic = message.error(), cast("str", message.topic())
            offset = cast("int", message.offset())
            if error is None:
                reached[topic, cast("int", message.partition())] = offset + 1
                if (take := self._read_of[topic](message)) is not None:
                    taken.append(take)
            elif error.code() == KafkaError._PARTITION_EOF:
                reached[topic, cast("int", message.partition())] = offset
            else:
                needed = Right("Read", "topic", topic), Right("Describe", "group", GATEWAY)
                raise_if_refused(error, self._config, *needed)
                logger.warning("%s: %s", topic, error.str())
        return taken, reached

    def _fail(self, failure: OperationalError) -> None:
        logger.error("the topics cannot be followed any more: %s", failure)
        self._failure = failure
        for _, waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(failure)
        self._waiting = []

    def _take(self, taken: Sequence[Callable[[], None]], reached: Ends) -> None:
        self._room.release()
        for take in taken:
            take()
        self._reached.update(reached)
        if self._waiting:
            left = []
            for ends, waiting in self._waiting:
                if not self._is_past(ends):
                    left.append((ends, waiting))
                elif not waiting.done():
                    waiting.set_result(None)
            self._waiting = left

    def _is_past(self, ends: Ends) -> bool:
        return all(self._reached.get(place, 0) >= end for place, end in ends.items())
