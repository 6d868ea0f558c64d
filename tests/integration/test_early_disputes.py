"""Disputes that are read before their charges, by a worker on a real Kafka that is started again.

Sixty days of event time in steps, each with its disputes published first, by up to four seconds:
well within the 15 s after which a worker takes charges to have paused, also on a busy machine. No
charge is published before the worker has read them: a dispute that is read later than a charge may
count after it. One of the partitions has no charges any more after some days.
"""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson
import pytest

from agents.settings.schema import Settings
from agents.stages.card import card_stage
from streams.events.rows import CHARGE
from streams.kafka.config import Admin, client_config
from streams.kafka.partitioner import partitions_of
from streams.kafka.topics import Topics, ensure_topics
from streams.state.store import MemoryStore
from streams.state.tables import TaskState
from streams.wire.examples import decode_examples
from tests.agents.stages.stages import DAY, HOUR, START, Message, charge, decode, dispute
from tests.integration.frames import frames_in
from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.kafka import Kafka


PARTITIONS, SILENT = 4, 2
DAYS, STEP_DAYS, SILENT_FROM = 60, 5, 20
AHEAD_S = (0.1, 0.3, 0.1, 3.0, 0.1, 1.0, 4.0, 0.1, 0.3, 0.1, 1.0, 0.1)
RESTART_AT = 6
SETTINGS: dict[str, Any] = {
    "label_horizon_days": 10.0,
    "negative_rate": 1.0,
    "actions": "advisory",
}
TIMEOUT_S = 90.0


class Events(NamedTuple):
    """Charges and disputes with their times, each in the order of these."""

    charges: list[tuple[float, Message]]
    disputes: list[tuple[float, Message]]


def events(seed: int) -> Events:
    random = Random(seed)
    found = Events([], [])
    for number in range(1500):
        created = START + random.uniform(0, DAYS * DAY)
        card, shop = f"card_{random.randrange(60)}", f"shop_{random.randrange(15)}"
        if partition_of(card) == SILENT and created > START + SILENT_FROM * DAY:
            continue
        fields = {"card": card, "merchant": shop, "amount": random.randrange(100, 90_000)}
        found.charges.append((created, charge(f"c{number}", created, **fields)))
        if random.random() < 0.2:
            disputed = created + random.choice([60.0, HOUR, random.uniform(0, 20 * DAY)])
            about = dispute(f"c{number}", disputed, card=card, merchant=shop)
            found.disputes.append((disputed, about))
    for those in found:
        those.sort(key=lambda each: each[0])
    return found


def partition_of(card: str) -> int:
    return int(partitions_of([card.encode()], PARTITIONS)[0])


def card_features_in_order(sent: Events, partition: int) -> dict[str, bytes]:
    """Return what the card stage makes of the charges of a partition in the right order."""
    stage = card_stage(TaskState(MemoryStore()), Settings(**SETTINGS))
    mine = [
        (created, message)
        for those in sent
        for created, message in those
        if partition_of(message.key.decode()) == partition
    ]
    mine.sort(key=lambda each: each[0])
    frames = stage.process(decode([message for _, message in mine]), is_paused=True).frames
    return {
        charge_id(tail): row["card_features"].tobytes()
        for row, tail in zip(frames.rows, frames.tails, strict=True)
        if row["event"]["kind"] == CHARGE
    }


def charge_id(tail: bytes) -> str:
    return str(orjson.loads(tail + b"}")["charge"])


@pytest.mark.timeout(400)
def test_none_is_lost_and_none_counts_before_its_time(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    seed = 1
    sent, topics = events(seed), Topics(prefix)
    ensure_topics(Admin(client_config(kafka.bootstrap_servers, {})), topics, PARTITIONS)
    env = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CHARGEWATCH_TOPIC_PREFIX": prefix,
        "CHARGEWATCH_SESSION_TIMEOUT_MS": "6000",
        **{f"CHARGEWATCH_{name.upper()}": str(value) for name, value in SETTINGS.items()},
    }
    worker = WorkerProcess(tmp_path, env)
    with worker:
        worker.wait_until_ready()
        for step, ahead_s in enumerate(AHEAD_S[:RESTART_AT]):
            publish_step(kafka, topics, sent, step, ahead_s)
        publish_disputes(kafka, topics, sent, RESTART_AT)
        assert worker.stop() == 0
    worker = WorkerProcess(tmp_path, env)
    with worker:
        worker.wait_until_ready()
        publish_charges(kafka, topics, sent, RESTART_AT)
        for step in range(RESTART_AT + 1, len(AHEAD_S)):
            publish_step(kafka, topics, sent, step, AHEAD_S[step])
        publish_disputes(kafka, topics, sent, len(AHEAD_S))  # those of the time after
        wait_for_frauds(kafka, topics, len(sent.disputes))
        wait_until_none_waits(worker)
    assert kafka.read_all(topics.rejected) == []
    found = frames_of_charges(kafka, topics)
    for partition in range(PARTITIONS):
        wanted = card_features_in_order(sent, partition)
        assert len(wanted) > 100
        assert {name: found[name] for name in wanted} == wanted, f"seed {seed}"


def publish_step(kafka: Kafka, topics: Topics, sent: Events, step: int, ahead_s: float) -> None:
    publish_disputes(kafka, topics, sent, step)
    time.sleep(ahead_s)
    publish_charges(kafka, topics, sent, step)


def publish_disputes(kafka: Kafka, topics: Topics, sent: Events, step: int) -> None:
    last = np.inf if step == len(AHEAD_S) else step
    kafka.publish(topics.disputes, of_step(sent.disputes, step, last))


def publish_charges(kafka: Kafka, topics: Topics, sent: Events, step: int) -> None:
    """Publish the charges of a step, whose disputes are there, once the worker has read these."""
    kafka.wait_until_taken(f"{topics.prefix}{Settings().application_id}", topics.disputes)
    kafka.publish(topics.charges, of_step(sent.charges, step, step))


def of_step(
    those: list[tuple[float, Message]], first: float, last: float
) -> list[tuple[int, bytes, bytes]]:
    return [
        (partition_of(message.key.decode()), message.key, message.value)
        for created, message in those
        if first <= (created - START) // (STEP_DAYS * DAY) <= last
    ]


def wait_for_frauds(kafka: Kafka, topics: Topics, count: int) -> None:
    """Wait until each dispute has made its charge a fraud, once."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        examples = [message.value() or b"" for message in kafka.read_all(topics.examples)]
        frauds = decode_examples(examples)["label"].sum() if examples else 0
        if frauds == count:
            return
        assert frauds < count
        assert time.monotonic() < deadline, f"{frauds} of {count} frauds"
        time.sleep(1.0)


def wait_until_none_waits(worker: WorkerProcess) -> None:
    """Wait for the gauge, which is brought up to date once a second."""
    deadline = time.monotonic() + TIMEOUT_S
    while (waiting := worker.metric("chargewatch_disputes_waiting")) > 0:
        assert time.monotonic() < deadline, f"{waiting} disputes wait"
        time.sleep(0.2)


def frames_of_charges(kafka: Kafka, topics: Topics) -> dict[str, bytes]:
    frames = frames_in(kafka.read_all(topics.by_merchant))
    assert frames is not None
    return {
        charge_id(tail): row["card_features"].tobytes()
        for row, tail in zip(frames.rows, frames.tails, strict=True)
        if row["event"]["kind"] == CHARGE
    }
