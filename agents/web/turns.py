"""Work on topics that takes one turn after the other, in a thread of its own."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from agents.web.problems import unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.kafka.clients import Clients


class ReadTopics(Protocol):
    """Topics that are read, and may be edited, from one thread at a time."""

    clients: Clients

    def close(self) -> None:
        """Disconnect."""


Topics = TypeVar("Topics", bound=ReadTopics)
Found = TypeVar("Found")

_TIMEOUT_S: Final = 30.0
_WAITING_MAX: Final = 20


class Turns(Generic[Topics]):
    """Does one piece of work on topics after the other.

    An edit reads what is there and writes, and of two replicas that edit at once the brokers fence
    one off.

    Parameters
    ----------
    topics
        What is worked on, by nobody else.
    """

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._thread = ThreadPoolExecutor(1, type(topics).__name__)
        self._waiting = 0

    async def run(self, work: Callable[[Topics], Found]) -> Found:
        """Do something in the thread, and return what it returns or raise what it raises.

        Raises
        ------
        Problem
            When too much waits already, or Kafka does not answer.
        """
        if self._waiting >= _WAITING_MAX:
            raise unavailable("too many edits at a time")
        self._waiting += 1
        done = asyncio.get_running_loop().run_in_executor(self._thread, work, self._topics)
        done.add_done_callback(self._end)
        finished, _ = await asyncio.wait([done], timeout=_TIMEOUT_S)
        if not finished:
            raise unavailable("Kafka does not answer; an edit may still be made")
        return done.result()

    async def close(self) -> None:
        """Disconnect; what waits for brokers is given up."""
        self._topics.clients.retry.stopping.set()
        await asyncio.to_thread(self._thread.shutdown)
        self._topics.close()

    def _end(self, done: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not done.cancelled():
            done.exception()  # is known: who waited for it may have gone
