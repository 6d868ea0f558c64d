"""Signals of a producer's own on a real Kafka: learned from, through a kill and a lost state."""

from __future__ import annotations

import shutil
import time
from random import Random
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from streams.kafka.topics import Topics
from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.kafka import Kafka

START: Final = 1_767_225_600.0
DAY_S: Final = 86_400.0
SEED: Final = 21
A_DAY, DAYS, LEARNED_DAYS, SILENT_FROM = 300, 30, 20, 28
TIMEOUT_S: Final = 120.0


class Stream:
    """Charges of which one in twenty is a fraud, which the signals alone tell, and its dispute."""

    def __init__(self) -> None:
        self.charges: list[dict[str, Any]] = []
        self.frauds: set[str] = set()
        random = Random(SEED)
        for number in range(A_DAY * DAYS):
            day, is_fraud = number // A_DAY, random.random() < 0.05
            charge: dict[str, Any] = {
                "id": f"ch_{number}", "created": START + number * DAY_S / A_DAY,
                "amount": random.randrange(500, 9000), "currency": "usd",
                "card": f"card_{random.randrange(200)}", "merchant": f"m_{random.randrange(20)}",
                "ip_risk": random.gauss(3.0 if is_fraud else 0.0, 1.0),
                "shop": random.choice(["gift cards", "games"] if is_fraud else ["food", "toys"]),
            }  # fmt: skip
            if random.random() < 0.3:
                charge["shop"] = random.choice(["food", "toys", "games"])
            if day >= SILENT_FROM:
                del charge["ip_risk"]
            if is_fraud:
                self.frauds.add(charge["id"])
            self.charges.append(charge)

    def of_days(self, first: int, end: int) -> list[dict[str, Any]]:
        return self.charges[first * A_DAY : end * A_DAY]

    def disputes(self, first: int, end: int) -> list[dict[str, Any]]:
        """Return what is disputed of the charges of some days, a day after each."""
        return [
            {"id": f"dp_{c['id']}", "charge": c["id"], "card": c["card"], "merchant": c["merchant"],
             "created": c["created"] + DAY_S, "reason": "fraudulent"}
            for c in self.of_days(first, end)
            if c["id"] in self.frauds
        ]  # fmt: skip


def keyed(events: list[dict[str, Any]]) -> list[tuple[bytes, bytes]]:
    return [(event["card"].encode(), orjson.dumps(event)) for event in events]


def await_learned(kafka: Kafka, topics: Topics) -> None:
    """Wait until the newest snapshot has learned all examples."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        examples, snapshots = kafka.read_all(topics.examples), kafka.read_all(topics.models)
        learned = max((orjson.loads(m.value() or b"")["offset"] for m in snapshots), default=0)
        if examples and learned == (examples[-1].offset() or 0) + 1:
            return
        assert time.monotonic() < deadline, (len(examples), learned)
        time.sleep(0.5)


def test_models_learn_from_them(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    topics, stream = Topics(prefix), Stream()
    for name, config in topics.configs().items():
        kafka.create(name, 1, config)
    env = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CHARGEWATCH_TOPIC_PREFIX": prefix,
        "CHARGEWATCH_SESSION_TIMEOUT_MS": "6000",
        "CHARGEWATCH_SIGNALS": "ip_risk=number,shop=category",
        "CHARGEWATCH_LABEL_HORIZON_DAYS": "5",
        "CHARGEWATCH_NEGATIVE_RATE": "1",
        "CHARGEWATCH_ACTIONS": "advisory",
        "CHARGEWATCH_SNAPSHOT_EVERY_S": "1",
    }
    half = LEARNED_DAYS // 2
    with WorkerProcess(tmp_path, env) as worker:
        worker.wait_until_ready()
        kafka.produce(topics.charges, keyed(stream.of_days(0, half)))
        kafka.produce(topics.disputes, keyed(stream.disputes(0, half)))
        kafka.consume(topics.scored, half * A_DAY)
        worker.kill()
    shutil.rmtree(worker.state_dir)
    with WorkerProcess(tmp_path, env) as worker:
        worker.wait_until_ready()
        kafka.produce(topics.charges, keyed(stream.of_days(half, LEARNED_DAYS)))
        kafka.produce(topics.disputes, keyed(stream.disputes(half, LEARNED_DAYS)))
        kafka.consume(topics.scored, LEARNED_DAYS * A_DAY)
        await_learned(kafka, topics)
        kafka.produce(topics.charges, keyed(stream.of_days(LEARNED_DAYS, DAYS)))
        messages = kafka.consume(topics.scored, DAYS * A_DAY)
        assert worker.stop() == 0
    scored = [orjson.loads(message.value() or b"") for message in messages]
    assert len({event["charge"] for event in scored}) == DAYS * A_DAY
    told = [event for event in scored[LEARNED_DAYS * A_DAY :] if "ip_risk" in event]
    assert all(event["model"].startswith("additive") for event in told)
    frauds = np.array([event["charge"] in stream.frauds for event in told])
    scores = np.array([event["score"] for event in told])
    above = (scores[frauds][:, None] > scores[~frauds]).mean()
    assert above > 0.95, f"seed {SEED}: area under the curve {above:.3f}"
    reasons = [{r["feature"]: r["text"] for r in e["reasons"]} for e in told if e["score"] > 0.5]
    assert sum("ip_risk" in each for each in reasons) > len(reasons) / 2 > 20
    assert {each.get("shop") for each in reasons} >= {"shop: gift cards", "shop: games"}
    assert "signal ip_risk has stopped coming" in worker.text()
