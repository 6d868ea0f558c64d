"""A drift on a real Kafka: told once, though the worker is killed and its state deleted."""

import shutil
from pathlib import Path
from random import Random

import msgspec
import orjson

from schemas.drift import Drift
from streams.kafka.topics import Topics
from tests.integration.kafka import Kafka
from tests.integration.worker import WorkerProcess

START = 20_000 * 86_400.0
DAY_S = 86_400.0
A_DAY, DAYS, CHANGES_ON = 520, 24, 17


def charges(days: range, seed: int) -> list[tuple[bytes, bytes]]:
    """Make charges whose amounts double from one day on."""
    random = Random(seed)
    made = []
    for number in range(days.start * A_DAY, days.stop * A_DAY):
        day = number // A_DAY
        card = f"card_{number % 50}"
        charge = {
            "id": f"ch_{number}",
            "created": START + number * DAY_S / A_DAY,
            "amount": round(random.uniform(3000, 9000) * (2 if day >= CHANGES_ON else 1)),
            "currency": "usd",
            "card": card,
            "merchant": "acct_1",
        }
        made.append((card.encode(), orjson.dumps(charge)))
    return made


def test_a_drift_is_told_once(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    topics = Topics(prefix)
    for name, config in topics.configs().items():
        kafka.create(name, 1, config)
    env = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CHARGEWATCH_TOPIC_PREFIX": prefix,
        "CHARGEWATCH_SESSION_TIMEOUT_MS": "6000",
    }
    half = 19  # the change has begun, but is not found yet
    with WorkerProcess(tmp_path, env) as worker:
        worker.wait_until_ready()
        kafka.produce(topics.charges, charges(range(half), seed=1))
        kafka.consume(topics.scored, half * A_DAY)
        assert not kafka.read_all(topics.drift)
        worker.kill()
    shutil.rmtree(worker.state_dir)
    with WorkerProcess(tmp_path, env) as worker:
        worker.wait_until_ready()
        kafka.produce(topics.charges, charges(range(half, DAYS), seed=2))
        kafka.consume(topics.scored, DAYS * A_DAY)
        assert worker.stop() == 0
        log = worker.text()
    messages = kafka.read_all(topics.drift)
    drifts = [msgspec.json.decode(message.value() or b"", type=Drift) for message in messages]
    assert [message.key() for message in messages] == [d.signal.encode() for d in drifts]
    (amount,) = [drift for drift in drifts if drift.signal == "amount"]
    assert amount.since == START + CHANGES_ON * DAY_S
    assert START + half * DAY_S < amount.at < START + DAYS * DAY_S
    assert 50.0 < amount.before < 65.0
    assert 100.0 < amount.after < 130.0
    assert (amount.task, amount.unit) == (0, "reference currency")
    assert log.count("drift: amount was ") == 1
