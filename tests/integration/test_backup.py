"""A state on Kafka, backed up to files and put back where offsets are others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import orjson
import pytest
from click.testing import CliRunner

from agents.backup.topics import LATEST, latest_of
from agents.commands import chargewatch
from schemas.snapshot import Snapshot, decode_snapshot, encode_snapshot
from streams.engine.task import LATER_POSITIONS, POSITIONS, encoded_positions
from streams.kafka.clients import Clients
from streams.kafka.config import Admin
from streams.kafka.installation import Installation
from streams.kafka.partitioner import partitions_of
from streams.kafka.publisher import Publisher
from streams.kafka.topics import Topics, ensure_topics
from streams.simulator import Simulation
from streams.state.tables import META
from tests.agents.growing.tasks import Tasks
from tests.agents.stages.stages import simulated

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from click.testing import Result

    from tests.agents.growing.tasks import Records
    from tests.agents.stages.stages import Message
    from tests.integration.kafka import Kafka

TASKS = 2
SEED = 3
POSITION_KEYS = {META + POSITIONS, META + LATER_POSITIONS}
SNAPSHOT = Snapshot("linear", "linear", "linear-0000000007", 900, 7, 1.0, ("amount",), {"w": [1.5]})
BEFORE_THEM = 5
"""Messages that the other cluster has before those that are mirrored."""


class KilledError(BaseException):
    """The process ends here."""


def test_everything_comes_back_where_offsets_are_others(
    kafka: Kafka, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = Topics(f"{prefix}here."), Topics(f"{prefix}there.")
    stream = messages()
    state = installation(kafka, here, stream)
    made = run(kafka, here, tmp_path, "backup", str(tmp_path / "backup"), "--state")
    assert made.exit_code == 0, made.output
    assert (tmp_path / "backup" / "task-0.zst").stat().st_mode & 0o077 == 0
    ensure_topics(Admin(kafka.config), there, TASKS)
    kafka.publish(there.charges, [(n, b"k", b"{}") for n in range(TASKS)] * BEFORE_THEM)
    publish(kafka, there, stream)
    kill_after(monkeypatch, writes=6)
    with pytest.raises(KilledError):
        run(kafka, there, tmp_path, "restore", str(tmp_path / "backup"))
    monkeypatch.undo()
    refused = run(kafka, there, tmp_path, "topics")
    assert refused.exit_code == 1
    assert "type `chargewatch restore` again, which goes on with it" in refused.output
    restored = run(kafka, there, tmp_path, "restore", str(tmp_path / "backup"))
    assert restored.exit_code == 0, restored.output
    clients = Clients(kafka.config)
    for number in range(TASKS):
        found = latest_of(clients, there.changelog, number)
        assert without_positions(found) == without_positions(state[number])
        assert (
            positions_in(found)["charges"] == BEFORE_THEM + positions_in(state[number])["charges"]
        )
        assert positions_in(found)["disputes"] == positions_in(state[number])["disputes"]
        assert (positions_in(found)["by_merchant"], positions_in(found)["by_entity"]) == (0, 0)
    for row in LATEST:
        before, after = (latest_of(clients, topics.named(row)) for topics in (here, there))
        if row.name == "models":
            snapshot = decode_snapshot(after.pop(b"linear"))
            assert (snapshot.offset, snapshot.state) == (0, {"w": [1.5]}), "of the new examples"
            assert before.pop(b"linear")
        assert list(after.items()) == list(before.items()), "in the same order"
        assert before
    assert Installation(kafka.config, there).partitions == TASKS
    again = run(kafka, there, tmp_path, "restore", str(tmp_path / "backup"))
    assert again.exit_code == 1
    assert "is not empty; a backup goes into an installation that has no state" in again.output


def test_what_cannot_be_put_back_is_refused_and_nothing_written(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    here, there = Topics(f"{prefix}here."), Topics(f"{prefix}there.")
    stream = messages()
    installation(kafka, here, stream)
    backup = tmp_path / "backup"
    assert run(kafka, here, tmp_path, "backup", str(backup), "--state").exit_code == 0
    ensure_topics(Admin(kafka.config), there, TASKS)
    publish(kafka, there, stream[:-40])
    refused = run(kafka, there, tmp_path, "restore", str(backup))
    assert refused.exit_code == 1
    assert "it is not mirrored yet" in refused.output
    file = backup / "task-1.zst"
    whole = file.read_bytes()
    file.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    torn = run(kafka, there, tmp_path, "restore", str(backup))
    assert (torn.exit_code, "task-1.zst: its SHA-256 is not the one" in torn.output) == (1, True)
    for topic in (there.changelog, there.rules, there.installation):
        assert not kafka.read_all(topic)
    full = run(kafka, here, tmp_path, "backup", str(backup))
    assert (full.exit_code, "is not empty; name another directory" in full.output) == (1, True)
    publish(kafka, here, stream[:1])
    unread = run(kafka, here, tmp_path, "backup", str(tmp_path / "other"), "--state")
    assert unread.exit_code == 1
    assert "has messages that are not processed" in unread.output


def installation(kafka: Kafka, topics: Topics, stream: Sequence[Message]) -> list[Records]:
    """Make an installation that has processed a stream; return the state of its tasks."""
    ensure_topics(Admin(kafka.config), topics, TASKS)
    Installation(kafka.config, topics).keep_partitions(TASKS)
    publish(kafka, topics, stream)
    tasks = Tasks(TASKS)
    tasks.feed(stream)
    tasks.pause()
    states = tasks.records()
    places = partitions_of([message.key for message in stream], TASKS).tolist()
    publisher = Publisher(kafka.config)
    for number, state in enumerate(states):
        read = [message.topic for place, message in zip(places, stream, strict=True)
                if place == number]  # fmt: skip
        positions = {"charges": read.count("charges"), "disputes": read.count("disputes"),
                     "by_merchant": 0, "outcomes": 0, "by_entity": 0}  # fmt: skip
        first, later = encoded_positions(positions)
        state |= {META + POSITIONS: first, META + LATER_POSITIONS: later}
        publisher.publish_to(topics.changelog, number, list(state.items()))
    for row in LATEST:
        records = [(b"k%d" % n, os.urandom(20)) for n in range(5)]
        if row.name == "models":
            records = [(b"linear", encode_snapshot(SNAPSHOT)), (b"champion", b'{"name":"linear"}')]
        publisher.publish(topics.named(row), records)
    publisher.flush()
    return states


def messages() -> list[Message]:
    return simulated(
        Simulation(
            seed=SEED, cards=30, merchants=6, days=3.0, charges_per_day=40.0, fraud_rate=0.2,
            dispute_delay_scale=0.01, warning_share=0.5, late_share=0.0, late_max_s=0.0,
            duplicate_share=0.0, malformed_share=0.0,
        )
    )  # fmt: skip


def publish(kafka: Kafka, topics: Topics, stream: Sequence[Message]) -> None:
    for message in stream:
        assert message.topic in {"charges", "disputes"}
    places = partitions_of([message.key for message in stream], TASKS).tolist()
    for topic in ("charges", "disputes"):
        kafka.publish(
            f"{topics.prefix}{topic}",
            [
                (place, message.key, message.value)
                for place, message in zip(places, stream, strict=True)
                if message.topic == topic
            ],
        )


def run(kafka: Kafka, topics: Topics, directory: Path, *arguments: str) -> Result:
    env = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CHARGEWATCH_TOPIC_PREFIX": topics.prefix,
        "CHARGEWATCH_STATE_DIR": str(directory / "state"),
    }
    return CliRunner().invoke(chargewatch, arguments, env=env)


def without_positions(records: Records) -> Records:
    return {key: value for key, value in records.items() if key not in POSITION_KEYS}


def positions_in(records: Records) -> dict[str, int]:
    stored = [orjson.loads(records[key]) for key in POSITION_KEYS]
    return {source: at for part in stored for source, at in part.items()}


def kill_after(monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    """Have the process end before its next write, once it has made so many."""
    made: list[str] = []
    publish_to = Publisher.publish_to

    def counted(self: Publisher, topic: str, *arguments: object) -> None:
        if len(made) == writes:
            self.flush()
            raise KilledError
        made.append(topic)
        publish_to(self, topic, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Publisher, "publish_to", counted)
