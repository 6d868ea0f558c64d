"""Fraud rates on a real Kafka: what tasks tell reaches all workers, once, though one is killed."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from agents.policy.fraud_rates import FraudRatesBook
from schemas.topics import INSTALLATION
from streams.kafka.config import Admin, client_config
from streams.kafka.topics import Topics, ensure_topics
from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.kafka import Kafka

PARTITIONS = 3
START = 1_750_003_200.0
HOUR = 3600.0
CHARGES = 900
RULES = b"# known: fraud is rare enough\nallow_without_challenge if :fraud_rate_to_100_eur: < 0.3"
SEEN_WITHIN_S = 30.0


class Events:
    """Charges and disputes of many cards and merchants, and how many were sent."""

    def __init__(self, kafka: Kafka, topics: Topics) -> None:
        self._kafka = kafka
        self._topics = topics
        self.sent = 0

    def charge(self, created: float, count: int, **fields: object) -> None:
        """Publish charges of 10 euros, and wait until all that were are scored."""
        self._send(self._topics.charges, self.sent, count, created, "c",
                   {"currency": "eur", "amount": 1000} | fields)  # fmt: skip
        self.sent += count
        self._kafka.consume(self._topics.scored, self.sent)

    def dispute(self, created: float, first: int, count: int) -> None:
        """Publish fraud disputes of charges."""
        self._send(self._topics.disputes, first, count, created, "d", {"reason": "fraudulent"})

    def scored(self) -> list[dict[str, Any]]:
        """Return the scored charges in their order."""
        messages = self._kafka.consume(self._topics.scored, self.sent)
        events = [orjson.loads(message.value() or b"") for message in messages]
        return sorted(events, key=lambda event: int(event["charge"][1:]))

    def _send(
        self, topic: str, first: int, count: int, created: float, kind: str, fields: dict[str, Any]
    ) -> None:
        events = [
            {"id": f"{kind}{number}", "charge": f"c{number}", "created": created + number / 1000,
             "card": f"card_{number % 97}", "merchant": f"shop_{number % 23}"} | fields
            for number in range(first, first + count)
        ]  # fmt: skip
        if kind == "c":
            events = [{key: each for key, each in e.items() if key != "charge"} for e in events]
        self._kafka.produce(topic, [(str(e["card"]).encode(), orjson.dumps(e)) for e in events])


def test_rates_are_those_of_all_tasks_on_every_worker(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    topics = Topics(prefix)
    ensure_topics(Admin(client_config(kafka.bootstrap_servers, {})), topics, PARTITIONS)
    record = orjson.dumps({"merchant": "*", "version": 1, "text": RULES.decode()})
    kafka.produce(topics.rules, [(b"*", record)])
    events = Events(kafka, topics)
    env = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CHARGEWATCH_TOPIC_PREFIX": prefix,
        "CHARGEWATCH_SESSION_TIMEOUT_MS": "6000",
    }

    def worker(name: str) -> WorkerProcess:
        return WorkerProcess(tmp_path / name, env | {"CHARGEWATCH_WORKER_ID": name})

    with ExitStack() as running:
        first, second = (running.enter_context(worker(name)) for name in ("a", "b"))
        for each in (first, second):
            each.wait_until_ready()
        events.charge(START, CHARGES)
        events.dispute(START + 60.0, 0, 300)
        first.kill()
        # Those of the next hours count in no band: with them tasks tell what came before.
        events.charge(START + HOUR, 300, channel="in_person")
        again = running.enter_context(worker("a"))
        again.wait_until_ready()
        events.charge(START + 2 * HOUR, 300, channel="in_person")
        for each in (again, second):
            _wait_for_rate(each, 300 / CHARGES)
        events.charge(START + 2 * HOUR + 60.0, 300)
        events.charge(START + 3 * HOUR, 300, channel="in_person")
        for each in (again, second):
            _wait_for_rate(each, 300 / (CHARGES + 300))
        events.charge(START + 3 * HOUR + 60.0, 100)
        assert again.page("/readyz")[0] == second.page("/readyz")[0] == 200
    by = [event["decided_by"] for event in events.scored()]
    assert set(by[:CHARGES]) <= {"model", "holdout", "rule:known"}, (
        "before there was a dispute, and after"
    )
    assert set(by[CHARGES + 600 : CHARGES + 900]) <= {"model", "holdout"}, "of a third it is not"
    assert set(by[-100:]) == {"rule:known"}, "of a quarter it is"
    book, tasks = FraudRatesBook(), set()
    for message in kafka.read_all(prefix + INSTALLATION.name):
        book.take(message.key() or b"", message.value())
        tasks.add(message.key())
    assert book.rates[0] == 300 / (CHARGES + 300)
    assert tasks >= {b"partitions", *(b"fraud-value/%d" % task for task in range(PARTITIONS))}


def _wait_for_rate(worker: WorkerProcess, rate: float) -> None:
    """Wait until a worker shows the rate of payments up to 100 euros."""
    deadline = time.monotonic() + SEEN_WITHIN_S
    while worker.metric('chargewatch_fraud_rate{band="100"}') != pytest.approx(rate):
        assert time.monotonic() < deadline, worker.page("/metrics")[1]
        time.sleep(0.1)
