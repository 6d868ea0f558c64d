"""A client that hangs on its offsets is replaced soon, but not sooner than brokers may answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from streams.kafka.clients import Clients
from streams.kafka.transactional_producer import AbortableError, TransactionalProducer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from confluent_kafka import Consumer, Producer

    from streams.kafka.clients import Joinable


class Lasting:
    """A thread that lasts so long, by the clock of its maker."""

    def __init__(self, clients: Hanging, lasts_s: float) -> None:
        self._clients, self._left_s = clients, lasts_s

    def join(self, timeout: float) -> None:
        waited_s = min(timeout, self._left_s)
        self._clients.now += waited_s
        self._left_s -= waited_s
        if self._left_s <= 0 and self._clients.run is not None:
            self._clients.run()


class Answering:
    """A producer of which every call succeeds."""

    def __getattr__(self, name: str) -> Callable[..., int]:
        return lambda *_, **__: 0


class Hanging(Clients):
    """Clients whose calls in threads last so long."""

    def __init__(self) -> None:
        super().__init__({})
        self.now = 0.0
        self.lasts_s = 0.0
        self.run: Callable[[], None] | None = None

    def producer(self, settings: Mapping[str, object]) -> Producer:  # noqa: ARG002
        return cast("Producer", Answering())

    def clock(self) -> float:
        return self.now

    def thread(self, run: Callable[[], None]) -> Joinable:
        self.run = run
        return Lasting(self, self.lasts_s)


def test_it_is_replaced_by_how_long_the_brokers_took_before() -> None:
    clients = Hanging()
    producer = TransactionalProducer(clients, "worker", 6000)
    group = cast("Consumer", Answering())

    def commits() -> float:
        began = clients.now
        producer.send("scored", [(b"", b"")])
        try:
            producer.prepare([], [], group)
        except AbortableError:
            producer.abort()
            return clients.now - began
        return 0.0

    def hangs_for() -> float:
        clients.lasts_s = 1e9
        return commits()

    assert [hangs_for() for _ in range(4)] == pytest.approx([2.0, 4.0, 8.0, 8.0], abs=0.01)
    for took_s, patience_s in ((0.2, 2.0), (1.0, 4.0), (0.2, 2.0)):
        clients.lasts_s = took_s
        assert commits() == 0.0
        assert hangs_for() == pytest.approx(patience_s, abs=0.01)
