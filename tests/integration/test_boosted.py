"""Boosted trees on a real Kafka: trained beside a worker, whatever becomes of who trains them."""

from __future__ import annotations

import os
import re
import signal
import time
from typing import TYPE_CHECKING

import pytest

from schemas.snapshot import Snapshot, decode_snapshot
from streams.kafka.topics import Topics
from tests.integration.test_same_model import STAGES, command, write_history
from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.kafka import Kafka

KIND = "blend"
TRAINS_AT_ONCE = "tests.integration.trains_at_once"
TIMEOUT_S = 120.0


def newest(kafka: Kafka, topics: Topics) -> Snapshot | None:
    published = [m for m in kafka.read_all(topics.models) if m.key() == KIND.encode()]
    return decode_snapshot(published[-1].value() or b"") if published else None


def await_trees(kafka: Kafka, topics: Topics, trained: int) -> Snapshot:
    """Return the newest snapshot once its trees are those of so many trainings."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        snapshot = newest(kafka, topics)
        if snapshot is not None and snapshot.state["boosted"]["trained"] >= trained:
            return snapshot
        assert time.monotonic() < deadline, snapshot and snapshot.version
        time.sleep(0.2)


def trainers(worker: WorkerProcess) -> list[int]:
    """Return the ids of the processes that a worker has started to train."""
    return [int(pid) for pid in re.findall(r"trained by process (\d+)", worker.text())]


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.timeout(600)
def test_a_trainer_that_is_killed_begins_anew_and_one_whose_worker_is_killed_ends(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    topics = Topics(prefix)
    env = STAGES | {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CHARGEWATCH_TOPIC_PREFIX": prefix,
        "CHARGEWATCH_SESSION_TIMEOUT_MS": "6000",
        "CHARGEWATCH_INSTANCE_ID": "only",  # to be back at once
        "CHARGEWATCH_CHALLENGERS": KIND,
    }
    command(env, "topics", "--partitions", 1)
    for file in write_history(tmp_path):
        command(env, "publish", file)
    with WorkerProcess(tmp_path, env, TRAINS_AT_ONCE) as worker:
        first = await_trees(kafka, topics, 1)
        assert first.version.endswith(".1")
        os.kill(trainers(worker)[-1], signal.SIGKILL)
        second = await_trees(kafka, topics, 2)
        assert second.examples >= first.examples
        assert worker.process.poll() is None
        assert "ended with exit code -9; it begins anew" in worker.text()
        worker.kill()
        deadline = time.monotonic() + TIMEOUT_S
        while is_there(trainers(worker)[-1]):
            assert time.monotonic() < deadline, "the trainer outlives its worker"
            time.sleep(0.1)
    with WorkerProcess(tmp_path, env, TRAINS_AT_ONCE) as worker:
        third = await_trees(kafka, topics, 3)
        assert third.examples >= second.examples
        assert worker.stop() == 0
        assert not is_there(trainers(worker)[-1])
