"""Charges that come in all the time while something is tried, and what becomes of them."""

from __future__ import annotations

import time
from collections import Counter
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

import orjson

from streams.kafka.config import Admin, client_config
from streams.kafka.publisher import Publisher
from streams.kafka.subscriber import Subscriber
from streams.kafka.topics import Topics, ensure_topics
from tests.integration.gateway import charge

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from deploy.nodes import Nodes

TIMEOUT_S: Final = 180.0
_EVERY_S: Final = 0.1
_PARTITIONS: Final = 3


class Stream:
    """Charges that come in all the time, and what becomes of them."""

    def __init__(self, kafka: Nodes, topics: Topics) -> None:
        config = client_config(kafka.env["KAFKA_BOOTSTRAP_SERVERS"], kafka.env)
        ensure_topics(Admin(config), topics, _PARTITIONS)
        self.sent: dict[str, float] = {}
        self.waited: dict[str, float] = {}
        self.times = Counter[str]()
        self._topics = topics
        self._publisher = Publisher(config)
        self._subscriber = Subscriber(config, [topics.scored])
        self._stopping = Event()
        self._threads = [Thread(target=run) for run in (self._publish, self._watch)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def waited_s(self, since: float) -> list[float]:
        """Return how long each charge waited that was sent since a moment, and is scored."""
        return [waited for id_, waited in list(self.waited.items()) if self.sent[id_] >= since]

    def await_scored(self) -> None:
        """Wait until all that was sent by now is scored."""
        sent = set(self.sent)
        until(lambda: sent <= self.waited.keys(), "all is scored")

    def _publish(self) -> None:
        number = 0
        while not self._stopping.wait(_EVERY_S):
            event = charge(f"{self._topics.prefix}{(number := number + 1)}")
            self.sent[event["id"]] = time.monotonic()
            keyed = event["card"].encode(), orjson.dumps(event)
            self._publisher.publish(self._topics.charges, [keyed])
        self._publisher.flush()

    def _watch(self) -> None:
        while not self._stopping.is_set():
            for message in self._subscriber.read(0.5):
                id_ = orjson.loads(message.value() or b"")["charge"]
                self.times[id_] += 1
                if id_ in self.sent:
                    self.waited.setdefault(id_, time.monotonic() - self.sent[id_])


def until(is_so: Callable[[], object], what: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + TIMEOUT_S
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.1)
