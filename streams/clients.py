"""Where the stream machinery has its Kafka clients, threads and clock from.

In one place, so that a simulation can put a broker, threads and a clock of its own in theirs.
"""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from threading import Thread
from time import monotonic
from typing import Protocol

from confluent_kafka import Consumer, KafkaError, Producer

from streams.client import Config
from streams.patience import Patience


class Joinable(Protocol):
    """Something that runs beside its maker."""

    def join(self, timeout: float) -> None:
        """Wait until it has ended, for at most so many seconds."""


class Clients:
    """Makes the clients of one cluster, and what runs and measures beside them.

    Parameters
    ----------
    config
        Client settings (`streams.client.client_config`).

    Attributes
    ----------
    patience
        For a broker that is away.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.patience = Patience()

    def consumer(
        self, settings: Mapping[str, object], on_error: Callable[[KafkaError], None] | None = None
    ) -> Consumer:
        """Return a consumer of these settings; `on_error` hears of what it waits for."""
        told = {"error_cb": on_error} if on_error is not None else {}
        return Consumer({**self.config, **settings, **told}, logger=logging.getLogger("kafka"))

    def producer(self, settings: Mapping[str, object]) -> Producer:
        """Return a producer of these settings."""
        return Producer({**self.config, **settings}, logger=logging.getLogger("kafka"))

    def executor(self, name: str) -> Executor:
        """Return what runs calls one after the other in a thread of its own."""
        return ThreadPoolExecutor(1, name)

    def thread(self, run: Callable[[], None]) -> Joinable:
        """Run something in a thread that may be left behind."""
        thread = Thread(target=run, daemon=True)
        thread.start()
        return thread

    def clock(self) -> float:
        """Return seconds of a clock that never goes back."""
        return monotonic()
