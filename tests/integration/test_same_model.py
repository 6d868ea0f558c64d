"""A worker on a real Kafka and the backtest learn the same model from the same events."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import orjson
from click.testing import CliRunner
from msgspec.structs import replace

from agents.commands import chargewatch
from agents.models.kinds import DEFAULT
from agents.terminal.model_files import read_model
from schemas.snapshot import Snapshot, decode_snapshot, encode_snapshot
from streams.events.files import write_events
from streams.kafka.topics import Topics
from streams.simulator import Simulation
from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.kafka import Kafka

TIMEOUT_S = 120.0
STAGES = {
    "CHARGEWATCH_ACTIONS": "advisory",  # as a history is taken
    "CHARGEWATCH_LABEL_HORIZON_DAYS": "2",
    "CHARGEWATCH_NEGATIVE_RATE": "0.5",
    "CHARGEWATCH_SNAPSHOT_EVERY_EXAMPLES": "500",
    "CHARGEWATCH_SNAPSHOT_EVERY_S": "1",
    "CHARGEWATCH_ENTITIES": ",",  # a charge that waits for a device counts later than in files
}
SMALL_BATCHES = {"CHARGEWATCH_MAX_BATCH": "100"}
"""So that it takes a while, and is killed in the middle."""


def command(env: dict[str, str], *arguments: object) -> None:
    result = CliRunner().invoke(chargewatch, [str(argument) for argument in arguments], env=env)
    assert result.exit_code == 0, result.output


def write_history(directory: Path) -> list[Path]:
    """Write charges, some of them sent twice, and their disputes.

    None is late: a worker counts what is late when it comes, the backtest in its place.
    """
    simulation = Simulation(
        seed=4, cards=400, merchants=40, start=1.75e9, days=8, charges_per_day=500,
        fraud_rate=0.05, dispute_delay_scale=0.1, late_share=0.0, duplicate_share=0.02,
    )  # fmt: skip
    lines: dict[str, list[bytes]] = {"charges": [], "disputes": []}
    for event in simulation.events():
        lines[event.topic].append(orjson.dumps(event.value))
    files = [directory / f"{topic}.jsonl" for topic in lines]
    for file, events in zip(files, lines.values(), strict=True):
        write_events(file, events)
    return files


def snapshots(kafka: Kafka, topics: Topics) -> list[Snapshot]:
    return [
        decode_snapshot(message.value() or b"")
        for message in kafka.read_all(topics.models)
        if message.key() == DEFAULT.encode()
    ]


def await_examples(kafka: Kafka, topics: Topics, count: int) -> Snapshot:
    """Return the newest snapshot once it has learned so many examples."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        published = snapshots(kafka, topics)
        learned = published[-1].examples if published else 0
        if learned >= count:
            return published[-1]
        assert time.monotonic() < deadline, f"{learned} of {count} examples are learned"
        time.sleep(0.2)


def of_any_run(snapshot: Snapshot) -> bytes:
    """Return all of a snapshot but its place in a topic, which counts commit markers as well."""
    return encode_snapshot(replace(snapshot, offset=0))


def test_a_killed_worker_and_the_backtest_learn_the_same_model(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    topics = Topics(prefix)
    env = STAGES | {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CHARGEWATCH_TOPIC_PREFIX": prefix,
        "CHARGEWATCH_SESSION_TIMEOUT_MS": "6000",
        "CHARGEWATCH_INSTANCE_ID": "only",  # to be back at once
    }
    files = write_history(tmp_path)
    saved = tmp_path / "model.json"
    command(env, "backtest", *files, "--out", tmp_path / "scored.jsonl", "--save-model", saved)
    wanted = read_model(saved)
    assert wanted.examples > 8_000

    command(env, "topics", "--partitions", 1)
    for file in files:
        command(env, "publish", file)
    with WorkerProcess(tmp_path, env | SMALL_BATCHES) as worker:
        await_examples(kafka, topics, wanted.examples // 4)
        worker.kill()
    assert snapshots(kafka, topics)[-1].examples < wanted.examples, "it was killed too late"
    with WorkerProcess(tmp_path, env) as worker:
        learned = await_examples(kafka, topics, wanted.examples)
        assert worker.stop() == 0
    assert of_any_run(learned) == of_any_run(wanted)
    assert len(kafka.read_all(topics.examples)) == wanted.examples
