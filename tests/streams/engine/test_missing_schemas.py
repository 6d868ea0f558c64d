"""Inputs whose schemas are missing: a registry that is down, goes away, is slow or knows nothing.

The registry is a stand-in, asked over HTTP by the client that workers use.
"""

from __future__ import annotations

import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from streams.engine.group_member import GroupMember, TaskTopics
from streams.engine.inputs import Inputs
from streams.engine.settings import EngineSettings
from streams.engine.task import BY_ENTITY, BY_MERCHANT, CHARGES, SOURCES, Stages, Task
from streams.formats.framing import prefix
from streams.formats.payloads import Payloads
from streams.kafka.registry_schemas import UNKNOWN_FOR_S, RegistrySchemas
from streams.kafka.retry import RetryPolicy, StoppedError
from streams.kafka.schema_registry import RegistryError, SchemaRegistry
from streams.kafka.topics import Topics
from streams.state.store import MemoryStore
from streams.state.tables import TaskState
from tests.registry import Registry
from tests.schemas import events
from tests.simulation.fetching import Message
from tests.simulation.partition_log import Record, State
from tests.streams.formats.written import Serializers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

    from confluent_kafka import Consumer, TopicPartition

    from streams.kafka.clients import Clients

Taken = dict[int, list[str]]

TOPICS = TaskTopics(Topics())
PATIENCE_S = 60.0
UNKNOWN = 99


class Machine:
    """The clients of a worker, as far as the registry needs them, on a clock of the test's."""

    def __init__(self) -> None:
        self.now = 0.0
        self.retry = RetryPolicy(self.clock)

    def clock(self) -> float:
        return self.now

    def executor(self, name: str) -> Executor:
        return ThreadPoolExecutor(1, name)


class Worker:
    """Inputs of two tasks: messages of charges are fetched as the test says."""

    def __init__(self, url: str, env: dict[str, str] | None = None) -> None:
        self.machine = Machine()
        clients = cast("Clients", self.machine)
        self.schemas = RegistrySchemas(SchemaRegistry(url, env or {}), clients)
        self.tasks = {number: _task(number) for number in (0, 1)}
        self.logs: dict[int, list[bytes]] = {0: [], 1: []}
        self.rejected: list[tuple[int, str]] = []
        self.inputs = Inputs(
            GroupMember(cast("Consumer", self), TOPICS),
            EngineSettings("test"),
            self.machine.clock,
            {},
            Payloads(self.schemas),
        )

    def get_watermark_offsets(self, partition: TopicPartition, *, cached: bool) -> tuple[int, int]:
        assert cached
        is_charges = partition.topic == TOPICS.inputs[CHARGES]
        return 0, len(self.logs[partition.partition]) if is_charges else 0

    def fetch(self, number: int, *values: bytes) -> None:
        first = len(self.logs[number])
        self.logs[number].extend(values)
        place = (TOPICS.inputs[CHARGES], number)
        messages = [
            Message(place, offset, Record(offset, b"tok_1", value, [], 0, State.COMMITTED))
            for offset, value in enumerate(values, first)
        ]
        self.inputs.add(self.tasks, [cast("Any", message) for message in messages])

    def take(self) -> Taken:
        """Take what is next; return the ids of charges by task, and note what is rejected."""
        work = self.inputs.take(list(self.tasks.values()), {})
        for copy in work.rejected:
            headers = dict(copy.headers)
            self.rejected.append((int(headers["offset"]), headers["error"].decode()))
        return {
            task.number: [json.loads(tail + b"}")["charge"] for tail in taken.batch.tails]
            for task, taken in work.inputs
            if len(taken)
        }

    def take_until(self, has_come: Callable[[Taken], object]) -> Taken:
        """Take until what was taken is enough."""
        taken: Taken = {}
        deadline = time.monotonic() + PATIENCE_S
        while not has_come(taken):
            assert time.monotonic() < deadline, taken
            for number, ids in self.take().items():
                taken.setdefault(number, []).extend(ids)
            time.sleep(0.01)
        return taken

    def position(self, number: int) -> int:
        return self.tasks[number].buffers[CHARGES].position


def _task(number: int) -> Task:
    task = Task(number, TaskState(MemoryStore()), cast("Stages", SimpleNamespace(waiting=0)))
    task.start(dict.fromkeys(SOURCES, 0))
    for source in (BY_MERCHANT, BY_ENTITY):
        task.buffers[source].is_behind = False
    return task


def charge(number: int) -> dict[str, Any]:
    return {**events.CHARGE, "id": f"ch_{number}", "created": events.NOW + number}


def plain(number: int) -> bytes:
    return events.encoded(charge(number))


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


@pytest.fixture
def framed(registry: Registry) -> Callable[[int], bytes]:
    serializers = Serializers(registry.url, dict(events.CHARGE))
    return lambda number: serializers.write("avro", charge(number))[0]


def test_a_registry_that_is_down_at_the_start_is_waited_for(
    registry: Registry, framed: Callable[[int], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    values = [framed(1), plain(2), framed(3)]
    registry.stop()
    worker = Worker(registry.url)
    worker.fetch(0, *values)
    worker.fetch(1, plain(11), plain(12))
    worker.take()
    worker.machine.now += 2.0
    assert worker.take() == {1: ["ch_11", "ch_12"]}, "another partition goes on"
    worker.fetch(0, plain(4))
    worker.fetch(1, plain(13))
    assert worker.take() == {1: ["ch_13"]}
    assert (worker.position(0), worker.position(1)) == (0, 3), "nothing that waits counts"
    with caplog.at_level(logging.WARNING):
        deadline = time.monotonic() + PATIENCE_S
        while "schema 1 cannot be had" not in caplog.text:
            assert time.monotonic() < deadline
            worker.machine.now += 6.0
            worker.take()
            time.sleep(0.05)
    assert "waiting for the schema registry: schema 1 cannot be had: " in caplog.text
    assert "Connection refused" in caplog.text
    registry.start()
    taken = worker.take_until(lambda taken: len(taken.get(0, [])) == 4)
    assert taken == {0: ["ch_1", "ch_2", "ch_3", "ch_4"]}, "in the order of the partition"
    assert worker.position(0) == 4


def test_known_schemas_go_on_when_the_registry_goes_away(
    registry: Registry, framed: Callable[[int], bytes]
) -> None:
    other = Serializers(registry.url, {**events.CHARGE, "order": 7})
    unknown_yet = other.write("protobuf", charge(3) | {"order": 7})[0]
    worker = Worker(registry.url)
    worker.fetch(0, framed(1))
    assert worker.take_until(lambda taken: taken) == {0: ["ch_1"]}
    value = framed(2)
    registry.stop()
    worker.fetch(0, value, unknown_yet, plain(4))
    assert worker.take_until(lambda taken: taken) == {0: ["ch_2"]}
    assert worker.position(0) == 2
    registry.start()
    assert worker.take_until(lambda taken: len(taken.get(0, [])) == 2) == {0: ["ch_3", "ch_4"]}
    of_first = [path for path in registry.asked if path == "GET /schemas/ids/1"]
    assert len(of_first) == 1, "a schema is asked for once"


def test_a_slow_registry_holds_up_nothing_else(
    registry: Registry, framed: Callable[[int], bytes]
) -> None:
    value = framed(1)
    registry.delay_s = PATIENCE_S
    worker = Worker(registry.url)
    worker.fetch(0, value)
    worker.fetch(1, plain(10))
    began = time.monotonic()
    assert worker.take() == {}
    worker.machine.now += 1.0
    assert worker.take() == {1: ["ch_10"]}, "others wait for a partition a second at the most"
    for number in range(11, 31):
        worker.fetch(1, plain(number))
        assert worker.take() == {1: [f"ch_{number}"]}
    assert time.monotonic() - began < PATIENCE_S / 2, "a turn waits for no answer"
    registry.hurry.set()
    assert worker.take_until(lambda taken: taken) == {0: ["ch_1"]}


def test_an_unknown_schema_is_a_rejected_input(
    registry: Registry, framed: Callable[[int], bytes]
) -> None:
    worker = Worker(registry.url)
    worker.fetch(0, framed(1), prefix(UNKNOWN) + b"...", framed(2))
    assert worker.take_until(lambda taken: len(taken.get(0, [])) == 2) == {0: ["ch_1", "ch_2"]}
    assert worker.rejected == [(1, f"payload: the schema registry does not know schema {UNKNOWN}")]
    asked = len(registry.asked)
    worker.fetch(0, prefix(UNKNOWN) + b"...")
    worker.take_until(lambda _: len(worker.rejected) == 2)
    assert len(registry.asked) == asked, "it is not asked for again at once"
    worker.machine.now += UNKNOWN_FOR_S
    worker.take()
    worker.fetch(0, prefix(UNKNOWN) + b"...")
    worker.take_until(lambda _: len(worker.rejected) == 3)
    assert len(registry.asked) > asked


@pytest.mark.parametrize("text", ["{", '{"type": "record"}', '{"type": "thing"}'])
def test_a_schema_that_is_none(registry: Registry, text: str) -> None:
    number = registry.register("broken", text)
    worker = Worker(registry.url)
    worker.fetch(0, prefix(number) + b"...", plain(2))
    assert worker.take_until(lambda taken: taken) == {0: ["ch_2"]}
    ((offset, why),) = worker.rejected
    assert offset == 0
    assert why.startswith(f"payload: schema {number} (Avro) cannot be used: ")


def test_a_schema_of_another_language_is_refused(registry: Registry) -> None:
    number = registry.register("other", "<xs:schema/>", "XSD")
    worker = Worker(registry.url)
    worker.fetch(0, prefix(number) + b"...", plain(2))
    assert worker.take_until(lambda taken: taken) == {0: ["ch_2"]}
    assert worker.rejected == [(0, f"payload: schema {number} is XSD, which is not read here")]


def test_charges_that_are_held_have_not_paused(
    registry: Registry, framed: Callable[[int], bytes]
) -> None:
    """Disputes go on waiting for them."""
    value = framed(1)
    registry.stop()
    worker = Worker(registry.url)
    worker.fetch(0, value)
    for _ in range(10):
        worker.take()
        worker.machine.now += 5.0
    assert [task.is_paused for task in worker.tasks.values()] == [False, True]


def test_a_registry_that_fails_is_waited_for(
    registry: Registry, framed: Callable[[int], bytes]
) -> None:
    worker = Worker(registry.url)
    worker.fetch(0, framed(1))
    registry.failing = 503
    asked = len(registry.asked)
    worker.take_until(lambda _: len(registry.asked) >= asked + 2)
    registry.failing = 0
    assert worker.take_until(lambda taken: taken) == {0: ["ch_1"]}


def test_credentials_are_asked_for_and_given(
    registry: Registry, framed: Callable[[int], bytes]
) -> None:
    value = framed(1)
    registry.credentials = "shop:secret-word"
    worker = Worker(registry.url)
    worker.fetch(0, value)
    with pytest.raises(RegistryError, match="SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO"):
        worker.take_until(lambda taken: taken)
    env = {"SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO": registry.credentials}
    worker = Worker(registry.url, env)
    worker.fetch(0, value)
    assert worker.take_until(lambda taken: taken) == {0: ["ch_1"]}


def test_a_wrong_setting_of_the_client_is_named_without_its_value() -> None:
    env = {"SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO": "secret-word"}
    with pytest.raises(RegistryError) as caught:
        SchemaRegistry("http://127.0.0.1:1", env)
    assert "SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO" in str(caught.value)
    assert "secret-word" not in str(caught.value)


def test_a_worker_that_stops_waits_no_longer(
    registry: Registry, framed: Callable[[int], bytes]
) -> None:
    value = framed(1)
    registry.stop()
    worker = Worker(registry.url)
    worker.fetch(0, value)
    worker.machine.retry.stopping.set()
    with pytest.raises(StoppedError):
        worker.take_until(lambda taken: taken)


def test_the_end_of_a_partition_is_met_once_nothing_is_held(
    registry: Registry, framed: Callable[[int], bytes]
) -> None:
    """Behind the last message there is a commit marker, which nobody fetches."""
    worker = Worker(registry.url)
    buffer = worker.tasks[0].buffers[CHARGES]
    worker.fetch(0, framed(1))
    buffer.note_end(2)
    assert buffer.fetched == 0
    assert worker.take_until(lambda taken: taken) == {0: ["ch_1"]}
    assert buffer.fetched == buffer.position == 2
