"""What a simulated process has in place of `streams.kafka.clients.Clients`."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, cast

from confluent_kafka import KafkaError

from streams.kafka.clients import Clients
from streams.kafka.retry import RetryPolicy
from tests.simulation.consumer import SimulatedConsumer
from tests.simulation.errors import error
from tests.simulation.producer import SimulatedProducer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from confluent_kafka import Consumer, Producer

    from streams.kafka.clients import Answer, Joinable
    from tests.simulation.broker import Broker
    from tests.simulation.scheduling import Process

_FOR_EVER_S = 1e6


class SimulatedClients(Clients):
    """Makes the clients of one process."""

    def __init__(self, process: Process, broker: Broker) -> None:
        super().__init__({})
        self._process = process
        self._broker = broker
        self.retry = RetryPolicy(self.clock, lambda seconds: process.wait(lambda: False, seconds))

    def consumer(
        self,
        settings: Mapping[str, object],
        on_error: Callable[[KafkaError], None] | None = None,  # noqa: ARG002
    ) -> Consumer:
        return cast("Consumer", SimulatedConsumer(self._process, self._broker, settings))

    def producer(self, settings: Mapping[str, object]) -> Producer:
        return cast("Producer", SimulatedProducer(self._process, self._broker, settings))

    def stable_assignment(self, group: str) -> dict[str, set[int]]:  # noqa: ARG002 - there is one
        self._ask("describe group")
        found = self._broker.group
        if found.is_rebalancing:
            return {}
        return {name: set(partitions) for name, partitions in found.assignment.items()}

    def partitions(self, topic: str) -> int:
        self._ask("describe topic")
        return self._broker.partitions[topic]

    def ends(self, topics: Sequence[str], partitions: int) -> dict[str, list[int]]:
        self._ask("ends")
        logs = self._broker.logs
        return {topic: [logs[topic, n].end for n in range(partitions)] for topic in topics}

    def _ask(self, name: str) -> None:
        self._process.step(name)
        if not self._broker.answers(self._process):
            raise error(KafkaError._TIMED_OUT)

    def executor(self, name: str) -> Executor:
        return _Executor(self._process, name)

    def outcome(self, call: Future[Answer]) -> Answer:
        self._process.wait(call.done, _FOR_EVER_S)
        return call.result()

    def thread(self, run: Callable[[], None]) -> Joinable:
        return _Beside(self._process, run)

    def clock(self) -> float:
        return self._broker.scheduler.now


class _Beside:
    """A thread that may be left behind."""

    def __init__(self, process: Process, run: Callable[[], None]) -> None:
        self._process = process
        self._run = run
        self._has_ended = False
        process.spawn(self._main)

    def join(self, timeout: float) -> None:
        self._process.wait(lambda: self._has_ended, timeout)

    def _main(self) -> None:
        self._run()
        self._has_ended = True


class _Executor(Executor):
    """Runs calls one after the other in a thread of the process."""

    def __init__(self, process: Process, name: str) -> None:
        self._process = process
        self._name = f"{name}: "
        self._calls: deque[Callable[[], None]] = deque()
        self._is_running = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def call() -> None:
            try:
                result = fn(*args, **kwargs)
            except Exception as failure:
                future.set_exception(failure)
            else:
                future.set_result(result)

        self._calls.append(call)
        if not self._is_running:
            self._is_running = True
            self._process.spawn(self._run, self._name)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        assert wait
        assert not cancel_futures
        self._process.wait(lambda: not self._is_running, _FOR_EVER_S)

    def _run(self) -> None:
        while self._calls:
            self._calls.popleft()()
        self._is_running = False
