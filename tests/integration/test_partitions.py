"""Partitions that are added to an installation, and inputs that would be lost: on a real broker."""

import re
import time
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result
from confluent_kafka.admin import AdminClient, NewPartitions

from agents.commands import chargewatch
from streams.kafka.config import Admin
from streams.kafka.topics import Topics, TopicsError, ensure_topics
from tests.integration.kafka import Kafka
from tests.integration.test_membership import produce
from tests.integration.worker import WorkerProcess

ENDS_WITHIN_S = 60.0
SPLIT = "a card's history would be split between its old and its new partition"


def raise_partitions(kafka: Kafka, names: list[str], count: int) -> None:
    admin = AdminClient(kafka.config)
    for future in admin.create_partitions([NewPartitions(name, count) for name in names]).values():
        future.result()
    deadline = time.monotonic() + ENDS_WITHIN_S
    while any(kafka.partitions(name) != count for name in names):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def topics_command(env: dict[str, str]) -> Result:
    return CliRunner().invoke(chargewatch, ["topics"], env=env)


@pytest.fixture
def env(kafka: Kafka, prefix: str) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CHARGEWATCH_TOPIC_PREFIX": prefix,
        "CHARGEWATCH_SESSION_TIMEOUT_MS": "6000",
    }


@pytest.mark.parametrize("raised", ["all", "disputes"])
def test_a_worker_ends_when_partitions_are_added_and_does_not_start_again(
    kafka: Kafka, prefix: str, env: dict[str, str], tmp_path: Path, raised: str
) -> None:
    topics = Topics(prefix)
    names = [*topics.of_a_task] if raised == "all" else [topics.disputes]
    ensure_topics(Admin(kafka.config), topics, 2)
    with WorkerProcess(tmp_path, env) as worker:
        worker.wait_until_ready()
        produce(kafka, prefix, range(500))
        kafka.consume(topics.scored, 500)
        raise_partitions(kafka, names, 6)
        assert worker.process.wait(ENDS_WITHIN_S) == 1
        assert SPLIT in worker.text()
        (topic,) = re.findall(
            r'TopicsError\("topic (\S+) has 6 partitions.* is of 2:', worker.text()
        )
        assert topic in names
        assert "Traceback" not in worker.text()
    before = len(kafka.read_all(topics.scored))
    produce(kafka, prefix, range(500, 1000))
    with WorkerProcess(tmp_path, env) as again:
        assert again.process.wait(ENDS_WITHIN_S) == 1
        assert "Traceback" not in again.text()
    assert before == len(kafka.read_all(topics.scored)) == 500, "nothing more is processed"
    error = re.findall("^Error: .*", again.text(), re.MULTILINE)[-1]
    if raised == "all":
        assert error.startswith(f"Error: topic {topics.charges} has 6 partitions, and the state of")
        assert (
            "type `chargewatch topics --grow` with as many as it has: it moves the state" in error
        )
    else:
        assert error.startswith("Error: topics with unequal numbers of partitions: ")
        assert f"{topics.charges} has 2, {topics.disputes} has 6" in error
    told = topics_command(env)
    assert (told.exit_code, told.output.splitlines()[-1:]) == (1, [error])


def test_partitions_of_topics_without_state_are_the_operators(
    kafka: Kafka, prefix: str, env: dict[str, str]
) -> None:
    topics = Topics(prefix)
    ensure_topics(Admin(kafka.config), topics, 2)
    raise_partitions(kafka, [*topics.of_a_task], 3)
    assert topics_command(env).exit_code == 0


def test_the_count_survives_a_lost_state_and_other_topics(
    kafka: Kafka, prefix: str, env: dict[str, str], tmp_path: Path
) -> None:
    topics = Topics(prefix)
    ensure_topics(Admin(kafka.config), topics, 1)
    with WorkerProcess(tmp_path / "a", env) as worker:
        worker.wait_until_ready()
        assert worker.stop() == 0
    records = {m.key(): m.value() for m in kafka.read_all(topics.installation)}
    assert orjson.loads(records[b"partitions"] or b"") == 1
    raise_partitions(kafka, [*topics.of_a_task], 2)
    with WorkerProcess(tmp_path / "b", env) as elsewhere:
        assert elsewhere.process.wait(ENDS_WITHIN_S) == 1
        assert "has 2 partitions, and the state of this installation is of 1" in elsewhere.text()


@pytest.mark.parametrize(
    ("config", "losses", "cures"),
    [
        (
            {"cleanup.policy": "compact"},
            ["cleanup.policy=compact keeps only the newest event of a card",
             "retention.ms=604800000 is less than the label horizon of 30 days"],
            "cleanup.policy=delete,retention.ms=2592000000",
        ),
        (
            {"retention.ms": "-1", "cleanup.policy": "compact,delete"},
            ["cleanup.policy=compact,delete keeps only the newest event of a card"],
            "cleanup.policy=delete",
        ),
        (
            {"retention.ms": "1000000000"},
            ["retention.ms=1000000000 is less than the label horizon of 30 days"],
            "retention.ms=2592000000",
        ),
        (
            {"retention.ms": "2592000000", "retention.bytes": "1000"},
            ["retention.bytes=1000 may delete events before the label horizon"],
            "retention.bytes=-1",
        ),
        ({"retention.ms": "-1"}, [], ""),
        ({"retention.ms": "2592000000"}, [], ""),
    ],
)  # fmt: skip
def test_inputs_that_would_be_lost_are_a_warning(
    kafka: Kafka,
    prefix: str,
    env: dict[str, str],
    config: dict[str, str],
    losses: list[str],
    cures: str,
) -> None:
    topics = Topics(prefix)
    kafka.create(topics.charges, config=config)
    kafka.create(topics.disputes, config=config)
    result = topics_command(env)
    assert result.exit_code == 0
    lines = result.stderr.splitlines()
    assert len(lines) == (2 if losses else 0)
    for name, line in zip((topics.charges, topics.disputes), lines, strict=False):
        assert line.startswith(f"Warning: topic {name}: {losses[0]}")
        for loss in losses:
            assert loss in line
        assert line.endswith(f" --entity-name {name} --add-config {cures}")


def test_topics_of_our_own_keep_inputs_for_the_label_horizon(
    kafka: Kafka, prefix: str, env: dict[str, str]
) -> None:
    topics = Topics(prefix)
    made = topics_command(env | {"CHARGEWATCH_LABEL_HORIZON_DAYS": "12.5"})
    assert made.stderr == ""
    assert kafka.topic_config(topics.charges)["retention.ms"] == str(1080 * 1_000_000)
    later = topics_command(env)
    assert later.stderr.count("Warning: ") == 3
    assert "retention.ms=1080000000 is less than the label horizon of 30 days" in later.stderr


def test_unequal_partitions_say_the_way_out(kafka: Kafka, prefix: str) -> None:
    topics = Topics(prefix)
    ensure_topics(Admin(kafka.config), topics, 2)
    raise_partitions(kafka, [topics.charges], 4)
    with pytest.raises(
        TopicsError, match="type `chargewatch topics --grow 4`: it gives all of them"
    ):
        ensure_topics(Admin(kafka.config), topics)
