"""Champion and challengers on a real Kafka: in shadow, promoted, rolled back, and warm-started."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest
from click.testing import CliRunner

from agents.commands import chargewatch
from agents.learning.learner import LearnerStage
from agents.learning.model_registry import ModelBook, as_loaded
from agents.models.kinds import DEFAULT
from agents.terminal.model_files import read_model
from schemas.scored import BLOCK
from schemas.snapshot import Snapshot, decode_snapshot, encode_snapshot
from streams.events.files import write_events
from streams.kafka.topics import Topics
from streams.simulator import Simulation
from streams.wire.examples import decode_examples
from streams.wire.matured import FRAUD, GENUINE, MATURED_LAYOUT, UNSEEN, encode_matured
from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.kafka import Kafka

OTHER = "forest"
DAY_S = 86_400.0
START = 1.75e9
PROBES = 24
TIMEOUT_S = 60.0
STAGES = {
    "CHARGEWATCH_LABEL_HORIZON_DAYS": "2",
    "CHARGEWATCH_NEGATIVE_RATE": "1",
    "CHARGEWATCH_SNAPSHOT_EVERY_EXAMPLES": "500",
    "CHARGEWATCH_SNAPSHOT_EVERY_S": "1",
}


class Installation:
    """Topics, what is in them, and the command as an operator has it."""

    def __init__(self, kafka: Kafka, prefix: str) -> None:
        self.kafka = kafka
        self.topics = Topics(prefix)
        self.env = STAGES | {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "CHARGEWATCH_TOPIC_PREFIX": prefix,
            "CHARGEWATCH_SESSION_TIMEOUT_MS": "6000",
            "CHARGEWATCH_CHALLENGERS": OTHER,
        }
        self.scored = 0
        self.probes = 0

    def command(self, *arguments: object) -> str:
        result = CliRunner().invoke(chargewatch, [str(a) for a in arguments], env=self.env)
        assert result.exit_code == 0, result.output
        return result.output

    def refused(self, *arguments: str) -> str:
        result = CliRunner().invoke(chargewatch, arguments, env=self.env)
        assert result.exit_code == 1, result.output
        return result.output

    @property
    def book(self) -> ModelBook:
        book = ModelBook()
        book.take((m.key(), m.value()) for m in self.kafka.read_all(self.topics.models))
        return book

    def probe(self) -> list[dict[str, Any]]:
        """Send charges of many cards and merchants, and return their scored events."""
        charges = [
            {"id": f"probe_{number}", "created": START + 16 * DAY_S + number, "amount": 1999,
             "currency": "usd", "card": f"probe_{number % 5}", "merchant": f"probe_{number % 7}"}
            for number in range(self.probes, self.probes + PROBES)
        ]  # fmt: skip
        self.probes += PROBES
        self.kafka.produce(
            self.topics.charges, [(str(c["card"]).encode(), orjson.dumps(c)) for c in charges]
        )
        self.scored += PROBES
        names = {charge["id"] for charge in charges}
        events = [
            orjson.loads(message.value() or b"")
            for message in self.kafka.consume(self.topics.scored, self.scored)
        ]
        probes = [event for event in events if event["charge"] in names]
        assert len(probes) == PROBES
        return probes

    def probe_until(self, model: Callable[[str], bool]) -> list[dict[str, Any]]:
        """Send charges until all are scored by such a model; no other may come back."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            events = self.probe()
            if all(model(event["model"]) for event in events):
                return events
            assert time.monotonic() < deadline, [event["model"] for event in events]

    def await_learned(self, beyond: int = 0) -> int:
        """Wait until the newest snapshot of every model has learned all examples.

        And there are examples beyond an offset. Return the offset after the last one.
        """
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            examples = self.kafka.read_all(self.topics.examples)
            newest = [self.book.snapshot(name) for name in (DEFAULT, OTHER)]
            end = (examples[-1].offset() or 0) + 1 if examples else 0
            if end > beyond and all(snapshot and snapshot.offset == end for snapshot in newest):
                return end
            assert time.monotonic() < deadline, (end, [s and s.offset for s in newest])
            time.sleep(0.5)


@pytest.fixture
def installation(kafka: Kafka, prefix: str) -> Installation:
    installation = Installation(kafka, prefix)
    installation.command("topics", "--partitions", "3")
    return installation


def write_history(directory: Path) -> tuple[int, list[Path]]:
    """Write two weeks of charges and disputes; return how many charges, and the files."""
    simulation = Simulation(
        seed=3, cards=300, merchants=30, start=START, days=12, charges_per_day=300,
        fraud_rate=0.05, dispute_delay_scale=0.1,
    )  # fmt: skip
    lines: dict[str, list[bytes]] = {"charges": [], "disputes": []}
    for event in simulation.events():
        lines[event.topic].append(orjson.dumps(event.value))
    files = [directory / f"{topic}.jsonl" for topic in lines]
    for file, events in zip(files, lines.values(), strict=True):
        write_events(file, events)
    return len(lines["charges"]), files


def test_a_challenger_is_promoted_and_rolled_back_and_a_model_loaded(
    installation: Installation, tmp_path: Path
) -> None:
    assert "champion  " in installation.command("models")
    assert "nothing has been promoted yet" in installation.refused("models", "rollback")
    assert "Nothing to estimate yet" in installation.command("models", "estimates")
    charges, files = write_history(tmp_path)
    saved = tmp_path / "model.json"
    installation.command("backtest", *files, "--out", tmp_path / "s.jsonl", "--save-model", saved)
    for file in files:
        installation.command("publish", file)
    installation.scored = charges
    with (
        WorkerProcess(tmp_path / "a", installation.env) as first,
        WorkerProcess(tmp_path / "b", installation.env) as second,
    ):
        first.wait_until_ready()
        second.wait_until_ready()
        installation.kafka.consume(installation.topics.scored, charges)
        installation.await_learned()
        told = installation.command("models", "estimates")
        assert "whose label horizon has passed" in told
        assert "from 0.01 " in told

        events = installation.probe_until(lambda model: model.startswith(f"{DEFAULT}-"))
        assert {tuple(event["shadow"]) for event in events} == {(OTHER,)}

        told = installation.command("models", "promote", OTHER)
        assert told.startswith(f"{OTHER} scores, now at {OTHER}-")
        previous = installation.book.champion.previous
        assert previous is not None
        before = previous.snapshot
        assert before is not None
        assert before.name == DEFAULT
        events = installation.probe_until(lambda model: model.startswith(f"{OTHER}-"))
        assert {tuple(event["shadow"]) for event in events} == {(DEFAULT,)}
        assert f"{OTHER}: is the champion already" in installation.refused(
            "models", "promote", OTHER
        )

        told = installation.command("models", "rollback")
        assert told == f"{DEFAULT} scores, frozen at {before.version}\n"
        installation.probe_until(lambda model: model == before.version)
        assert "champion, frozen" in installation.command("models", "list")

        installation.command("models", "unfreeze")
        installation.command("models", "load", saved)
        found = installation.book.newest(DEFAULT)
        assert found is not None
        assert found.loaded
        installation.probe_until(lambda model: model.startswith(f"{DEFAULT}-{found.loaded}-"))
        installation.command("models", "freeze")
        again = tmp_path / "again.json"
        installation.command("models", "save", again)
        assert read_model(again) == installation.book.champion.frozen
        assert read_model(again).loaded == found.loaded
        installation.command("models", "unfreeze")
        end = installation.await_learned()
        label(installation, files[0])
        installation.await_learned(beyond=end)
        assert first.stop() == second.stop() == 0
    check_what_followed(installation, read_model(saved))
    assert f"{DEFAULT}-{found.loaded}-" in installation.command("models")


def label(installation: Installation, charges: Path) -> None:
    """Send fraud disputes of some charges, so that there is more to learn."""
    for number, line in enumerate(charges.read_bytes().splitlines()[-40:]):
        charge = orjson.loads(line)
        dispute = {
            "id": f"probe_{number}", "charge": charge["id"], "card": charge["card"],
            "merchant": charge["merchant"], "created": START + 17 * DAY_S, "reason": "fraudulent",
        }  # fmt: skip
        installation.kafka.produce(
            installation.topics.disputes, [(charge["card"].encode(), orjson.dumps(dispute))]
        )


def check_what_followed(installation: Installation, saved: Snapshot) -> None:
    """Check every snapshot since the load against one learner that goes on from the file."""
    published = [
        decode_snapshot(message.value() or b"")
        for message in installation.kafka.read_all(installation.topics.models)
        if message.key() == DEFAULT.encode()
    ]
    # One that is late to come back may be sent again, but is the same then.
    versions = {(snapshot.version, encode_snapshot(snapshot)) for snapshot in published}
    assert len({version for version, _ in versions}) == len(versions)
    since = [snapshot for snapshot in published if snapshot.loaded]
    assert published[-len(since) :] == since
    (began,) = {snapshot.loaded_at for snapshot in since}
    loaded = installation.book.loaded(DEFAULT)
    assert loaded is not None
    assert loaded.snapshot == saved
    stage = LearnerStage(as_loaded(loaded, began), 10**9)
    wanted = {began: stage.snapshot()}
    for message in installation.kafka.read_all(installation.topics.examples):
        offset = message.offset()
        assert offset is not None
        if offset >= began:
            stage.learn(decode_examples([message.value() or b""]), [offset])
            wanted[offset + 1] = stage.snapshot()
    assert since[-1].examples > saved.examples
    for snapshot in since:
        assert encode_snapshot(snapshot) == encode_snapshot(wanted[snapshot.offset])


def test_estimates_of_what_is_on_the_topic(installation: Installation) -> None:
    """Of 200 blocked charges 40 were drawn, and 30 of them were frauds; older days are left out."""
    rows = MATURED_LAYOUT.new(400)
    rows["card"], rows["action"], rows["score"] = np.arange(1, 401), BLOCK, 0.7
    rows["propensity"], rows["counts"] = 0.2, 1.0
    rows["created"] = START + np.repeat([0.0, 40.0 * DAY_S], 200)
    rows["seen"] = GENUINE
    rows["seen"][200:] = np.repeat([FRAUD, GENUINE, UNSEEN], [30, 10, 160])
    messages = encode_matured(rows[:250]) + encode_matured(rows[250:])
    installation.kafka.produce(
        installation.topics.matured, [(None, message) for message in messages]
    )
    told = installation.command("models", "estimates").splitlines()
    assert told[0].startswith("200 charges made from 2025-06-26 to 2025-07-25")
    (row,) = [line.split() for line in told if line.startswith("block ")][:1]
    assert row[:6] == ["block", "200", "100.0%", "40", "40", "75.0%"]
    assert row[-1] == "70.0%"
    everything = installation.command("models", "estimates", "--days", "60")
    assert everything.startswith("400 charges")
