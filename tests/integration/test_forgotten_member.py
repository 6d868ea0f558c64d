"""A static member that the group forgets joins as another, and is not told to give up what it had.

Others may have had its tasks meanwhile: what it goes on with then must be what they left.
"""

import signal
import struct
import time
from pathlib import Path

import orjson
from confluent_kafka import Consumer

from tests.chaos.wire import NO_TAGS, array, ask, string
from tests.integration.kafka import Kafka
from tests.integration.test_membership import assert_scored_once, prepare, produce, tasks, wait
from tests.integration.worker import WorkerProcess

SESSION_MS = 60_000
HEARTBEATS_S = 4.0
"""In which a member hears several times that there is a rebalance, and joins again."""

_LEAVE_GROUP = (13, 4)


def test_its_tasks_go_on_from_what_others_did_with_them(
    lone_kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    env = prepare(lone_kafka, prefix) | {"CHARGEWATCH_SESSION_TIMEOUT_MS": str(SESSION_MS)}

    def worker(name: str) -> WorkerProcess:
        names = {"CHARGEWATCH_INSTANCE_ID": name, "CHARGEWATCH_WORKER_ID": name}
        return WorkerProcess(tmp_path / name, env | names)

    group = f"{prefix}chargewatch"
    with worker("a") as forgotten, worker("b") as other:
        wait(lambda: tasks(forgotten, "running") == tasks(other, "running") == 2, "two tasks each")
        produce(lone_kafka, prefix, range(1000))
        lone_kafka.consume(f"{prefix}scored", 1000)
        # It joins again for a third one, and waits for the other, which stands still.
        other.process.send_signal(signal.SIGSTOP)
        third = Consumer(
            lone_kafka.config
            | {"group.id": group, "partition.assignment.strategy": "cooperative-sticky"}
        )
        third.subscribe([f"{prefix}charges"])
        wait(lambda: len(lone_kafka.members(group)) == 3, "a third member")
        time.sleep(HEARTBEATS_S)
        forgotten.process.send_signal(signal.SIGSTOP)
        forget(lone_kafka, group, "a")
        third.close()
        other.process.send_signal(signal.SIGCONT)
        wait(lambda: tasks(other, "running") == 4, "all tasks")
        produce(lone_kafka, prefix, range(1000, 2000))
        lone_kafka.consume(f"{prefix}scored", 2000)
        other.kill()
        forget(lone_kafka, group, "b")
        forgotten.process.send_signal(signal.SIGCONT)
        produce(lone_kafka, prefix, range(2000, 3000))
        lone_kafka.consume(f"{prefix}scored", 3000)
        # On a very slow machine it had not joined again by then, and is told.
        assert "may have been elsewhere" in forgotten.text() or "tasks lost" in forgotten.text()
        assert forgotten.stop() == 0
    assert_scored_once(lone_kafka, prefix, 3000)
    events = [orjson.loads(m.value() or b"") for m in lone_kafka.read_all(f"{prefix}scored")]
    assert not any("duplicate" in event for event in events)


def forget(kafka: Kafka, group: str, instance_id: str) -> None:
    """Remove a static member from a group, as a coordinator may that has been restarted."""
    host, _, port = kafka.bootstrap_servers.rpartition(":")
    member = string(kafka.members(group)[instance_id]) + string(instance_id) + NO_TAGS
    answer = ask((host, int(port)), _LEAVE_GROUP, string(group) + array([member]) + NO_TAGS)
    _throttled_ms, error = struct.unpack_from(">ih", answer)
    assert error == 0
    wait(lambda: instance_id not in kafka.members(group), "one member less")
