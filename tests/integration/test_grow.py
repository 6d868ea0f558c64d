"""More partitions under a state: refused while workers run, stopped half way, and gone on with."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from agents.commands import chargewatch
from agents.growing.changelogs import Changelogs
from streams.events.rows import charge_hash
from streams.features.entities import FEATURE_NAMES
from streams.kafka.config import Admin
from streams.kafka.partitioner import partitions_of
from streams.kafka.topics import Topics, ensure_topics
from streams.labels.pending import PENDING_LAYOUT, hashes_in
from streams.layouts.reader import Reader
from streams.simulator import Simulation
from streams.state.tables import PENDING
from tests.agents.growing.tasks import Tasks
from tests.agents.stages.stages import simulated
from tests.integration.kafka import Kafka
from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from click.testing import Result

    from tests.agents.stages.stages import Message

BEFORE, AFTER = 2, 3
SEED = 11
OF_CARDS = [
    place for place, name in enumerate(FEATURE_NAMES) if name.startswith(("card_", "amount"))
]


class KilledError(BaseException):
    """The process ends here."""


def test_scores_go_on_as_if_there_had_always_been_as_many(
    kafka: Kafka, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics, stream = Topics(prefix), messages()
    first, meanwhile, then = stream[:300], stream[300:330], stream[330:]
    env = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CHARGEWATCH_TOPIC_PREFIX": prefix,
        "CHARGEWATCH_SESSION_TIMEOUT_MS": "6000",
        "CHARGEWATCH_STATE_DIR": str(tmp_path / "operator"),
    }
    ensure_topics(Admin(kafka.config), topics, BEFORE)
    publish(kafka, topics, first, BEFORE)
    with WorkerProcess(tmp_path / "worker", env) as worker:
        worker.wait_until_ready()
        kafka.consume(topics.scored, charges_in(first))
        for topic in (topics.by_merchant, topics.by_entity):
            kafka.wait_until_taken(f"{prefix}chargewatch", topic)
        assert "committed: changelogs reach" not in worker.text()
        worker.process.send_signal(signal.SIGUSR2)
        alive = grow(env)
        assert alive.exit_code == 1
        assert "workers of the group" in alive.output
        assert "stop all workers and type the command again" in alive.output
        assert worker.stop() == 0
    assert "log level: debug, until the next SIGUSR2" in worker.text()
    assert kafka.partitions(topics.charges) == BEFORE
    written = stop_after(monkeypatch, transactions=2)
    with pytest.raises(KilledError):
        grow(env, catch_exceptions=False)
    assert written == [1, 2]
    monkeypatch.undo()
    refused = CliRunner().invoke(chargewatch, ["topics"], env=env)
    assert refused.exit_code == 1
    assert "has 3 partitions, and the state of this installation is of 2" in refused.output
    assert "type `chargewatch topics --grow` with as many as it has" in refused.output
    publish(kafka, topics, meanwhile, BEFORE)  # by a producer that has not heard of more
    grown = grow(env)
    assert grown.exit_code == 0, grown.output
    assert "Sent on " in grown.output
    assert "each byte for byte what it was" in grown.output
    assert "is of 3 partitions now: start the workers" in grown.output
    again = grow(env)
    assert (again.exit_code, "all is done" in again.output) == (0, True)
    publish(Kafka(kafka.config), topics, then, AFTER)  # a client that knows of the new ones
    with WorkerProcess(tmp_path / "worker", env) as worker:
        worker.wait_until_ready()
        kafka.consume(topics.scored, charges_in(stream))
        for topic in (topics.by_merchant, topics.by_entity):
            kafka.wait_until_taken(f"{prefix}chargewatch", topic)
        assert worker.stop() == 0
    assert len(kafka.read_all(topics.scored)) == charges_in(stream), "each exactly once"
    assert not kafka.read_all(topics.rejected)
    assert_vectors(kafka, topics, stream)


def assert_vectors(kafka: Kafka, topics: Topics, stream: Sequence[Message]) -> None:
    """What is known of cards is what one task that never grew knows of them."""
    reference = Tasks(1)
    reference.feed(stream)
    latest: dict[bytes, tuple[int, bytes]] = {}
    for message in kafka.read_all(topics.changelog):
        key, value = message.key() or b"", message.value()
        if key[:1] == PENDING and value is not None:
            latest[key] = (message.partition() or 0, value)
    reader = Reader(PENDING_LAYOUT, {})
    vectors = reader.rows([value for _, value in latest.values()])["vector"][:, OF_CARDS]
    hashes = [row.tobytes() for row in hashes_in([key[1:] for key in latest])]
    found = dict(zip(hashes, vectors, strict=True))
    wanted = {
        charge_hash(events[0]["card"], charge): reference.vectors[charge][0][OF_CARDS]
        for charge, events in reference.events.items()
    }
    assert found.keys() == wanted.keys()
    assert len(wanted) > 300
    for key, vector in wanted.items():
        np.testing.assert_array_equal(found[key], vector)


def messages() -> list[Message]:
    return simulated(
        Simulation(
            seed=SEED, cards=40, merchants=8, days=6.0, charges_per_day=70.0, fraud_rate=0.06,
            dispute_delay_scale=0.1, warning_share=0.5, late_share=0.0, late_max_s=0.0,
            duplicate_share=0.0, malformed_share=0.0,
        )
    )  # fmt: skip


def charges_in(stream: Sequence[Message]) -> int:
    return sum(message.topic == "charges" for message in stream)


def publish(kafka: Kafka, topics: Topics, stream: Sequence[Message], partitions: int) -> None:
    """Publish as a producer does that knows of so many partitions."""
    places = partitions_of([message.key for message in stream], partitions).tolist()
    for topic in ("charges", "disputes"):
        kafka.publish(
            f"{topics.prefix}{topic}",
            [
                (place, message.key, message.value)
                for place, message in zip(places, stream, strict=True)
                if message.topic == topic
            ],
        )


def grow(env: Mapping[str, str], *, catch_exceptions: bool = True) -> Result:
    return CliRunner().invoke(
        chargewatch, ["topics", "--grow", str(AFTER)], env=env, catch_exceptions=catch_exceptions
    )


def stop_after(monkeypatch: pytest.MonkeyPatch, transactions: int) -> list[int]:
    """Have the process end when it has made so many transactions."""
    made: list[int] = []
    write = Changelogs.write

    def counted(self: Changelogs, *arguments: object) -> None:
        if len(made) == transactions:
            raise KilledError
        write(self, *arguments)  # type: ignore[arg-type]
        made.append(len(made) + 1)

    monkeypatch.setattr(Changelogs, "write", counted)
    return made
