"""Tasks that come and go on a real Kafka: copies, static members, untrusted state, lost brokers."""

import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from agents.stages.tasks import STATE_FORMS
from deploy.local_kafka import LocalKafka
from streams.kafka.config import client_config
from streams.kafka.topics import Topics
from streams.state.rocksdb import RocksStore
from tests.chaos.markers import Markers
from tests.integration.kafka import Kafka
from tests.integration.worker import WorkerProcess

START = 1.75e9
PARTITIONS = 4
TIMEOUT_S = 120.0


def prepare(kafka: Kafka, prefix: str) -> dict[str, str]:
    topics = Topics(prefix)
    for name, config in topics.configs().items():
        kafka.create(name, 1 if name in topics.of_one_partition else PARTITIONS, config)
    return {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CHARGEWATCH_TOPIC_PREFIX": prefix,
        "CHARGEWATCH_SESSION_TIMEOUT_MS": "6000",
    }


def produce(kafka: Kafka, prefix: str, numbers: range) -> None:
    kafka.produce(
        f"{prefix}charges",
        [
            (
                card.encode(),
                orjson.dumps(
                    {
                        "id": f"ch_{number}",
                        "created": START + number,
                        "amount": 1000 + number,
                        "currency": "usd",
                        "card": card,
                        "merchant": f"acct_{number % 50}",
                    }
                ),
            )
            for number in numbers
            for card in [f"card_{number % 1000}"]
        ],
    )


def wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {TIMEOUT_S:.0f} s: {what}"
        time.sleep(0.1)


def restored(log: str) -> list[int]:
    return [int(count) for count in re.findall(r"restored (\d+) records in", log)]


def tasks(worker: WorkerProcess, state: str) -> float:
    lines = worker.page("/metrics")[1].splitlines()
    name = f'chargewatch_tasks{{state="{state}"}} '
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


@pytest.mark.parametrize("replicas", [0, 1])
def test_a_standby_copy_spares_the_restore(
    kafka: Kafka, prefix: str, tmp_path: Path, replicas: int
) -> None:
    env = prepare(kafka, prefix) | {"CHARGEWATCH_STANDBY_REPLICAS": str(replicas)}
    with (
        WorkerProcess(tmp_path / "a", env) as first,
        WorkerProcess(tmp_path / "b", env) as second,
    ):
        wait(lambda: tasks(first, "running") == tasks(second, "running") == 2, "two tasks each")
        expected = 2.0 if replicas else 0.0
        wait(lambda: tasks(second, "standby") == expected, "copies")
        produce(kafka, prefix, range(6000))
        kafka.consume(f"{prefix}scored", 6000)
        before = len(second.text())
        first.kill()
        wait(lambda: tasks(second, "running") == PARTITIONS, "the other's tasks")
        log = second.text()[before:]
        counts = restored(log)
        assert len(counts) == 2
        if replicas:  # what a copy lacks is what was committed since it last looked
            assert max(counts) < 1000
            assert log.count("has a standby copy here") == 2
        else:
            assert min(counts) > 1000
        produce(kafka, prefix, range(6000, 7000))
        assert len(kafka.consume(f"{prefix}scored", 7000)) == 7000


def test_a_static_members_restart_moves_nothing(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    env = prepare(kafka, prefix) | {"CHARGEWATCH_SESSION_TIMEOUT_MS": "30000"}

    def worker(name: str) -> WorkerProcess:
        names = {"CHARGEWATCH_INSTANCE_ID": name, "CHARGEWATCH_WORKER_ID": name}
        return WorkerProcess(tmp_path / name, env | names)

    with worker("a") as first, worker("b") as second:
        wait(lambda: tasks(first, "running") == tasks(second, "running") == 2, "two tasks each")
        produce(kafka, prefix, range(1000))
        kafka.consume(f"{prefix}scored", 1000)
        moved = second.text().count("tasks assigned"), second.text().count("tasks revoked")
        assert first.stop() == 0
        with worker("a") as again:
            again.wait_until_ready()
            wait(lambda: tasks(again, "running") == 2, "its two tasks")
            produce(kafka, prefix, range(1000, 2000))
            kafka.consume(f"{prefix}scored", 2000)
            seen = second.text().count("tasks assigned"), second.text().count("tasks revoked")
            assert seen == moved


def test_a_worker_whose_place_is_taken_ends_and_says_so(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    """Two workers are started with one instance id, as by a mistake of an operator."""
    env = prepare(kafka, prefix) | {"CHARGEWATCH_INSTANCE_ID": "a"}
    with WorkerProcess(tmp_path / "a", env) as first:
        first.wait_until_ready()
        produce(kafka, prefix, range(1000))
        with WorkerProcess(tmp_path / "b", env) as second:
            assert first.process.wait(TIMEOUT_S) == 1
            assert "instance_id: another member of the group has taken 'a'" in first.text()
            assert "Traceback" not in first.text()
            second.wait_until_ready()
            produce(kafka, prefix, range(1000, 2000))
            kafka.consume(f"{prefix}scored", 2000)
    assert_scored_once(kafka, prefix, 2000)


def test_tasks_that_nobody_has_are_shared_out_again(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    """A static member's successor does not know what the dead one was to give back.

    The other worker is a dynamic member, whose id comes first: it is the one to act.
    """
    env = prepare(kafka, prefix) | {"CHARGEWATCH_SESSION_TIMEOUT_MS": "30000"}
    static = env | {"CHARGEWATCH_INSTANCE_ID": "worker", "CHARGEWATCH_WORKER_ID": "worker"}
    with WorkerProcess(tmp_path / "a", static, "tests.integration.dies_on_revoke") as first:
        first.wait_until_ready()
        with WorkerProcess(tmp_path / "b", env) as other:
            first.process.wait(TIMEOUT_S)
            with WorkerProcess(tmp_path / "a", static):
                produce(kafka, prefix, range(400))
                kafka.consume(f"{prefix}scored", 400, timeout_s=60.0)
                assert "nobody has tasks" in other.text()
    assert_scored_once(kafka, prefix, 400)


def test_state_newer_than_the_changelog_is_not_trusted(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    env = prepare(kafka, prefix)
    with WorkerProcess(tmp_path, env) as worker:
        worker.wait_until_ready()
        produce(kafka, prefix, range(500))
        kafka.consume(f"{prefix}scored", 500)
        assert worker.stop() == 0
    for path in [path.parent for path in worker.state_dir.rglob("CURRENT")]:
        store = RocksStore(path, *STATE_FORMS)
        store.write({b"\x01nobody": b"never committed"}, [], 10**9)
        store.close()
    with WorkerProcess(tmp_path, env) as worker:
        worker.wait_until_ready()
        assert worker.text().count(": emptied") == PARTITIONS
        produce(kafka, prefix, range(250, 750))
        events = [orjson.loads(m.value() or b"") for m in kafka.consume(f"{prefix}scored", 1000)]
        assert worker.stop() == 0
    # Were the state not the same again, duplicates would count as new charges.
    assert sum(event.get("duplicate", False) for event in events) == 250
    for path in [path.parent for path in worker.state_dir.rglob("CURRENT")]:
        store = RocksStore(path, *STATE_FORMS)
        assert store.get_many([b"\x01nobody"]) == [None]
        store.close()


@pytest.fixture
def own_kafka() -> Iterator[LocalKafka]:
    with LocalKafka() as local:
        yield local


def test_a_worker_outlives_its_broker_and_stops_in_time_without_it(
    own_kafka: LocalKafka, prefix: str, tmp_path: Path
) -> None:
    kafka = Kafka(client_config(own_kafka.bootstrap_servers, {}))
    env = prepare(kafka, prefix)
    produce(kafka, prefix, range(20_000))
    broker = own_kafka.nodes[0].process
    assert broker is not None
    with WorkerProcess(tmp_path, env) as worker:
        worker.wait_until_logged("loading the kernels")
        broker.send_signal(signal.SIGSTOP)  # connected, and never answers
        worker.wait_until_logged("waiting for Kafka")
        assert_stops_in_order(worker)
    broker.send_signal(signal.SIGCONT)
    with WorkerProcess(tmp_path, env) as worker:
        kafka.consume(f"{prefix}scored", 1)
        broker.send_signal(signal.SIGSTOP)
        assert_stops_in_order(worker)
    broker.send_signal(signal.SIGCONT)
    with markers_written(own_kafka, prefix):
        scored = len(kafka.read_all(f"{prefix}scored"))
        produce(kafka, prefix, range(20_000, 40_000))
        with WorkerProcess(tmp_path, env) as worker:
            kafka.consume(f"{prefix}scored", scored + 1)
            own_kafka.kill()
            own_kafka.restart()
            kafka.consume(f"{prefix}scored", 40_000)
            assert worker.process.poll() is None
            produce(kafka, prefix, range(40_000, 60_000))
            own_kafka.kill()
            assert_stops_in_order(worker)
        own_kafka.restart()
        with WorkerProcess(tmp_path, env):
            kafka.consume(f"{prefix}scored", 60_000)
    assert_scored_once(kafka, prefix, 60_000)


def markers_written(kafka: LocalKafka, prefix: str) -> Markers:
    """Have the markers written that a lone broker may lose when it is killed during a commit."""
    topics = [*Topics(prefix).configs(), "__consumer_offsets"]
    return Markers(client_config(kafka.bootstrap_servers, {}), topics)


def assert_stops_in_order(worker: WorkerProcess) -> None:
    began = time.monotonic()
    assert worker.stop() == 0
    assert time.monotonic() - began < 10.0
    assert "Traceback" not in worker.text()


def assert_scored_once(kafka: Kafka, prefix: str, count: int) -> None:
    events = [orjson.loads(m.value() or b"") for m in kafka.read_all(f"{prefix}scored")]
    assert sorted(event["charge"] for event in events) == sorted(f"ch_{n}" for n in range(count))
