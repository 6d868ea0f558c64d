"""The simulated broker and clients, against the real ones: the same calls, the same outcomes."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from streams.kafka.clients import Clients
from streams.kafka.partition_reader import PartitionReader
from tests.simulation.broker import Broker
from tests.simulation.clients import SimulatedClients
from tests.simulation.scheduling import Process, Scheduler

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.kafka import Kafka

ANSWER_S = 30.0
QUIET_S = 0.35


class Cluster(NamedTuple):
    """What a script runs against."""

    clients: Clients
    prefix: str
    clock: Callable[[], float]

    def topic(self, name: str) -> str:
        return f"{self.prefix}{name}"

    def producer(self, name: str) -> Producer:
        settings = {"transactional.id": self.topic(name), "transaction.timeout.ms": 30_000}
        producer = self.clients.producer(settings | {"enable.idempotence": True, "log_level": 0})
        producer.init_transactions(ANSWER_S)
        return producer

    def reader(self, offset: int = 0) -> Consumer:
        consumer = self.consumer("reader")
        consumer.assign([self.log(offset)])
        return consumer

    def consumer(self, group: str, **settings: object) -> Consumer:
        return self.clients.consumer(
            {
                "group.id": self.topic(group),
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": 6000,
                "heartbeat.interval.ms": 500,
                "fetch.wait.max.ms": 20,
                "log_level": 0,
                **{name.replace("_", "."): value for name, value in settings.items()},
            },
            lambda _: None,
        )

    def log(self, offset: int = -1001) -> TopicPartition:
        return TopicPartition(self.topic("log"), 0, offset)

    def until(self, holds: Callable[[], bool], *consumers: Consumer) -> None:
        """Poll consumers until something holds."""
        give_up_at = self.clock() + ANSWER_S
        while not holds():
            assert self.clock() < give_up_at
            for consumer in consumers:
                consumer.poll(0.05)

    def until_end(self, consumer: Consumer, end: int) -> None:
        """Wait until the log is known to end there: markers are written after the commit."""
        self.until(lambda: consumer.get_watermark_offsets(self.log(), ANSWER_S)[1] == end)

    def read(self, consumer: Consumer) -> list[Any]:
        """Return what a consumer gives until it is quiet: values, and the offsets of ends."""
        found: list[Any] = []
        quiet_at = self.clock() + 1.0
        while self.clock() < quiet_at:
            message = consumer.poll(0.05)
            if message is not None:
                error = message.error()
                is_end = error is not None and error.code() == KafkaError._PARTITION_EOF
                found.append(
                    ("end", message.offset()) if is_end
                    else error.name() if error
                    else (message.value(), message.offset())
                )  # fmt: skip
                quiet_at = self.clock() + QUIET_S
        return found


def outcome(call: Callable[..., object], *arguments: object) -> str:
    """Call, and return what an error says of itself."""
    try:
        call(*arguments)
    except KafkaException as exception:
        error = exception.args[0]
        flags = {
            "fatal": error.fatal(),
            "retriable": error.retriable(),
            "abort": error.txn_requires_abort(),
        }
        return " ".join([error.name(), *(flag for flag, is_set in flags.items() if is_set)])
    return "fine"


def send(cluster: Cluster, producer: Producer, value: bytes) -> list[str]:
    """Produce a value as our producer does; return the errors of the batch."""
    batch: list[dict[str, Any]] = [{"key": b"k", "value": value}]
    producer.produce_batch(cluster.topic("log"), batch, partition=0)
    return [message["_error"].name() for message in batch if "_error" in message]


def ends_of_transactions(cluster: Cluster) -> list[Any]:
    seen: list[Any] = []
    producer, reader = cluster.producer("one"), cluster.reader()
    seen.append(cluster.read(reader))
    for value, end, offset in (
        (b"a", producer.commit_transaction, 2),
        (b"b", producer.abort_transaction, 4),
    ):
        producer.begin_transaction()
        send(cluster, producer, value)
        producer.flush(ANSWER_S)
        seen.append(reader.get_watermark_offsets(cluster.log(), ANSWER_S))
        seen.append(cluster.read(reader))
        seen.append(reader.get_watermark_offsets(cluster.log(), cached=True)[1])
        seen.append(cluster.clients.ends([topic := cluster.topic("log")], 1)[topic])
        end(ANSWER_S)
        cluster.until_end(reader, offset)
        seen.append(cluster.read(reader))
    seen.append(cluster.read(cluster.reader()))
    return seen


def seeks(cluster: Cluster) -> list[Any]:
    producer = cluster.producer("one")
    producer.begin_transaction()
    send(cluster, producer, b"a")
    send(cluster, producer, b"b")
    producer.commit_transaction(ANSWER_S)
    cluster.until_end(cluster.consumer("other"), 3)
    reader = cluster.reader()
    seen: list[Any] = [cluster.read(reader), cluster.read(reader)]
    reader.seek(cluster.log(3))
    seen.append(cluster.read(reader))
    reader.seek(cluster.log(1))
    seen.append(cluster.read(reader))
    reader.pause([cluster.log()])
    reader.seek(cluster.log(0))
    seen.append(cluster.read(reader))
    reader.resume([cluster.log()])
    seen.append(cluster.read(reader))
    seen.append(outcome(reader.incremental_assign, [cluster.log(0)]))
    reader.incremental_unassign([cluster.log()])
    seen.append(outcome(reader.incremental_unassign, [cluster.log()]))
    seen.append(outcome(reader.seek, cluster.log(0)))
    seen.append(cluster.read(cluster.reader(9)))
    return seen


def fencing(cluster: Cluster) -> list[Any]:
    first = cluster.producer("one")
    first.begin_transaction()
    send(cluster, first, b"a")
    first.flush(ANSWER_S)
    second = cluster.producer("one")
    group = cluster.consumer("group").consumer_group_metadata()
    seen: list[Any] = [
        outcome(first.send_offsets_to_transaction, [cluster.log(1)], group, ANSWER_S),
        send(cluster, first, b"b"),
        outcome(first.flush, ANSWER_S),
        outcome(first.flush, ANSWER_S),
        outcome(first.commit_transaction, ANSWER_S),
        outcome(first.abort_transaction, ANSWER_S),
        outcome(first.begin_transaction),
    ]
    second.begin_transaction()
    send(cluster, second, b"c")
    second.commit_transaction(ANSWER_S)
    cluster.until_end(cluster.consumer("other"), 4)
    return [*seen, cluster.read(cluster.reader())]


def a_fenced_write(cluster: Cluster) -> list[Any]:
    first = cluster.producer("one")
    first.begin_transaction()
    send(cluster, first, b"a")
    first.flush(ANSWER_S)
    cluster.producer("one")
    send(cluster, first, b"b")
    return [
        outcome(first.flush, ANSWER_S),
        send(cluster, first, b"c"),
        outcome(first.flush, ANSWER_S),
        outcome(first.commit_transaction, ANSWER_S),
    ]


def unstable_offsets(cluster: Cluster) -> list[Any]:
    producer, reader = cluster.producer("one"), cluster.consumer("group")
    member = reader.consumer_group_metadata()

    def committed() -> list[int]:
        return [found.offset for found in reader.committed([cluster.log()], timeout=ANSWER_S)]

    seen: list[Any] = [committed()]
    for end in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        producer.send_offsets_to_transaction([cluster.log(7 + len(seen))], member, ANSWER_S)
        seen.append(outcome(lambda: reader.committed([cluster.log()], timeout=0.5)))
        end(ANSWER_S)
        seen.append(committed())
    return seen


def an_open_transaction_hides_what_follows(cluster: Cluster) -> list[Any]:
    one, two = cluster.producer("one"), cluster.producer("two")
    reader = PartitionReader(cluster.clients, cluster.topic("log"), 0)
    one.begin_transaction()
    send(cluster, one, b"a")
    one.flush(ANSWER_S)
    two.begin_transaction()
    send(cluster, two, b"b")
    two.commit_transaction(ANSWER_S)
    values: list[Any] = []

    def follow(offset: int) -> None:
        while reader.reached < offset:
            values.extend(reader.read())

    follow(0)
    seen: list[Any] = [reader.is_at_end, reader.watermarks(), len(values)]
    one.abort_transaction(ANSWER_S)
    follow(4)
    return [*seen, reader.is_at_end, [message.value() for message in values]]


class Joined:
    """A member of the group, and what it was told."""

    def __init__(self, cluster: Cluster, told: list[Any], name: str, **settings: object) -> None:
        self.tasks: set[int] = set()
        self.consumer = cluster.consumer("group", **settings)
        self._told = told
        self._name = name
        self.consumer.subscribe(
            [cluster.topic("tasks")],
            on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke,
        )  # fmt: skip

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign([])
        self._note("gets", partitions)
        self.tasks.update(p.partition for p in partitions)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_unassign([])
        self._note("gives", partitions)
        self.tasks.difference_update(p.partition for p in partitions)

    def _note(self, what: str, partitions: list[TopicPartition]) -> None:
        if partitions:
            self._told.append((self._name, what, len(partitions)))


def generations(cluster: Cluster) -> list[Any]:
    producer, told = cluster.producer("one"), list[Any]()
    first = Joined(cluster, told, "first")
    cluster.until(lambda: len(first.tasks) == 4, first.consumer)
    early = first.consumer.consumer_group_metadata()
    second = Joined(cluster, told, "second")
    cluster.until(lambda: len(second.tasks) == 2, first.consumer, second.consumer)
    late = first.consumer.consumer_group_metadata()
    offsets = [TopicPartition(cluster.topic("tasks"), 0, 1)]
    producer.begin_transaction()
    told.append(outcome(producer.send_offsets_to_transaction, offsets, early, ANSWER_S))
    told.append(send(cluster, producer, b"a"))
    told.append(outcome(producer.commit_transaction, ANSWER_S))
    told.append(outcome(producer.abort_transaction, ANSWER_S))
    producer.begin_transaction()
    told.append(outcome(producer.send_offsets_to_transaction, offsets, late, ANSWER_S))
    told.append(outcome(producer.commit_transaction, ANSWER_S))
    second.consumer.close()
    cluster.until(lambda: len(first.tasks) == 4, first.consumer)
    producer.begin_transaction()
    told.append(outcome(producer.send_offsets_to_transaction, offsets, late, ANSWER_S))
    told.append(outcome(producer.abort_transaction, ANSWER_S))
    first.consumer.close()
    producer.begin_transaction()
    told.append(outcome(producer.send_offsets_to_transaction, offsets, late, ANSWER_S))
    return told


def static_members(cluster: Cluster) -> list[Any]:
    told = list[Any]()
    first = Joined(cluster, told, "first", group_instance_id="same")
    cluster.until(lambda: len(first.tasks) == 4, first.consumer)
    other = Joined(cluster, told, "other", group_instance_id="other")
    cluster.until(lambda: len(first.tasks) == len(other.tasks) == 2, first.consumer, other.consumer)
    again = Joined(cluster, told, "again", group_instance_id="same")
    cluster.until(lambda: len(again.tasks) == 2, again.consumer, other.consumer)
    told.append(again.tasks == first.tasks)
    member = first.consumer.consumer_group_metadata()
    told += cluster.read(first.consumer)
    producer = cluster.producer("one")
    producer.begin_transaction()
    offsets = [TopicPartition(cluster.topic("tasks"), 0, 1)]
    told.append(outcome(producer.send_offsets_to_transaction, offsets, member, ANSWER_S))
    first.consumer.close()
    return told


SCRIPTS = (
    ends_of_transactions,
    seeks,
    fencing,
    a_fenced_write,
    unstable_offsets,
    an_open_transaction_hides_what_follows,
    generations,
    static_members,
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_the_simulated_broker_does_what_the_real_one_does(
    script: Callable[[Cluster], list[Any]], kafka: Kafka, prefix: str
) -> None:
    kafka.create(f"{prefix}log")
    kafka.create(f"{prefix}tasks", 4)
    clients = Clients(kafka.config)
    real = script(Cluster(clients, prefix, clients.clock))
    assert simulated(script, 0) == real


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_the_simulated_broker_does_the_same_whatever_the_seed(
    script: Callable[[Cluster], list[Any]],
) -> None:
    first = simulated(script, 0)
    assert all(simulated(script, seed) == first for seed in range(1, 20))


def simulated(script: Callable[[Cluster], list[Any]], seed: int) -> list[Any]:
    scheduler = Scheduler(Random(seed), switching=0.0)
    broker = Broker(scheduler, {"log": 1, "tasks": 4}, "tasks")
    process = Process(scheduler, "script", lambda _process, _step: None)
    clients = SimulatedClients(process, broker)
    return script(Cluster(clients, "", clients.clock))
