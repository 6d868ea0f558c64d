"""Charges and disputes in every format are scored by a worker as their twins in plain JSON are."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson
from msgspec.structs import replace

from agents.settings.schema import Settings
from agents.terminal.scored_values import ScoredValues
from schemas.card_numbers import card_token
from streams.kafka.topics import Topics
from streams.simulator import Simulation
from tests.integration.worker import WorkerProcess
from tests.registry import Registry
from tests.streams.formats.written import FORMATS, REQUIRED, Serializers

if TYPE_CHECKING:
    from pathlib import Path

    from confluent_kafka import Message

    from tests.integration.kafka import Kafka

    Event = dict[str, Any]

SEED = 11
TIMEOUT_S = 60.0
DISPUTE: tuple[str, ...] = ("id", "charge", "card", "merchant", "created", "reason")


def streams() -> dict[str, list[Event]]:
    """Return simulated charges and disputes, all numbers of a field of one type."""
    simulation = Simulation(
        seed=SEED, cards=60, merchants=10, days=1, charges_per_day=300, fraud_rate=0.1
    )
    found: dict[str, list[Event]] = {"charges": [], "disputes": []}
    for event in simulation.events():
        value: Event = {name: each for name, each in event.value.items() if each is not None}
        found[event.topic].append({**value, "created": float(value["created"])})
    return found


def made(kafka: Kafka, prefix: str) -> dict[str, str]:
    """Make topics of one partition, so that all is taken and scored in the order of event time.

    There are no shared entities: a charge that waits for them is scored behind some that do not.
    """
    for name, config in Topics(prefix).configs().items():
        kafka.create(name, 1, config)
    return {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CHARGEWATCH_TOPIC_PREFIX": prefix,
        "CHARGEWATCH_SESSION_TIMEOUT_MS": "6000",
        "CHARGEWATCH_ENTITIES": ",",
    }


def published(kafka: Kafka, prefix: str, url: str, events: dict[str, list[Event]]) -> None:
    """Publish events, each in the format after that of the one before, some with a header."""
    for topic, batch in events.items():
        whole = {name: content for event in batch for name, content in event.items()}
        required = REQUIRED if topic == "charges" else DISPUTE
        writers = [
            Serializers(url, whole, required, in_header=in_header) for in_header in (False, True)
        ]
        for number, event in enumerate(batch):
            form = (*FORMATS, "json")[number % 4]
            key, value, headers = str(event["card"]).encode(), orjson.dumps(event), None
            if form != "json":
                value, headers = writers[number // 4 % 2].write(form, event, topic)
            kafka.publish(f"{prefix}{topic}", [(-1, key, value)], headers=headers)  # type: ignore[arg-type]


def scored(values: list[bytes]) -> list[Event]:
    events = [orjson.loads(value) for value in values]
    return [{n: each for n, each in event.items() if n != "scored_at"} for event in events]


def values(messages: list[Message]) -> list[bytes]:
    return [message.value() or b"" for message in messages]


def test_every_format_is_scored_as_its_twin(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    events = streams()
    count = len(events["charges"])
    plain, framed = f"{prefix}plain.", f"{prefix}framed."
    env = made(kafka, plain)
    for topic, batch in events.items():
        kafka.produce(
            f"{plain}{topic}", [(event["card"].encode(), orjson.dumps(event)) for event in batch]
        )
    with WorkerProcess(tmp_path / "plain", env) as worker:
        expected = scored(values(kafka.consume(f"{plain}scored", count)))
        worker.stop()
    with Registry() as registry:
        env = made(kafka, framed) | {
            "CHARGEWATCH_SCHEMA_REGISTRY_URL": registry.url,
            "CHARGEWATCH_SCORED_FORMAT": "avro",
        }
        published(kafka, framed, registry.url, events)
        damaged = b"\0\0\0\0\1" + b"\xff" * 20
        kafka.produce(f"{framed}charges", [(b"k", damaged), (b"k", b"\0\0\0\0\x63...")])
        registry.stop()
        with WorkerProcess(tmp_path / "framed", env) as worker:
            deadline = time.monotonic() + TIMEOUT_S
            while "waiting for the schema registry" not in worker.text():
                assert time.monotonic() < deadline, worker.text()[-4000:]
                time.sleep(0.05)
            registry.start()
            written = values(kafka.consume(f"{framed}scored", count))
            rejected = kafka.consume(f"{framed}charges.rejected", 2)
            worker.stop()
        assert all(value.startswith(b"\0") for value in written)
        settings = replace(Settings(), schema_registry_url=registry.url)
        assert scored(ScoredValues(settings).as_json(written)) == expected
    assert values(rejected)[0] == damaged
    errors = [dict(message.headers() or [])["error"].decode() for message in rejected]  # type: ignore[union-attr]
    assert "is damaged" in errors[0]
    assert errors[1] == "payload: the schema registry does not know schema 99"


PAGE = """
leave_out = "livemode = 'false'"

[charge]
id = "ref"
created = { from = "time", unit = "ms" }
amount = { from = "money.total", unit = "major" }
currency = "money.currency"
card = { from = "pan", hash = true }
merchant = "shop"
"""


def test_messages_of_a_companys_own_are_scored_by_a_mapping(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    page, key = tmp_path / "shop.toml", "0123456789abcdef"
    page.write_text(PAGE)
    pan = "4242424242424242"
    row = {"ref": "r1", "time": 1_790_000_000_000, "money": {"total": 19.99, "currency": "EUR"},
           "pan": pan, "shop": "s1", "livemode": True, "note": "gift"}  # fmt: skip
    rows = [
        row,
        row | {"ref": "r2", "livemode": False},
        {"before": None, "after": row | {"ref": "r3"}, "op": "c", "source": {}, "ts_ms": 1},
        row | {"ref": "r4", "money": {}},
    ]
    env = made(kafka, prefix) | {
        "CHARGEWATCH_MAPPING": str(page),
        "CHARGEWATCH_MAPPING_KEY": key,
    }
    kafka.produce(f"{prefix}charges", [(pan.encode(), orjson.dumps(each)) for each in rows])
    with WorkerProcess(tmp_path / "worker", env) as worker:
        messages = kafka.consume(f"{prefix}scored", 2)
        (rejected,) = kafka.consume(f"{prefix}charges.rejected", 1)
        kafka.wait_until_taken(f"{prefix}chargewatch", f"{prefix}charges")
        assert len(kafka.read_all(f"{prefix}scored")) == 2
        assert worker.metric("chargewatch_findings_total") == 1
        log = worker.text()
    token = card_token(pan, key.encode())
    assert [message.key() for message in messages] == [token.encode()] * 2
    events = [orjson.loads(value) for value in values(messages)]
    assert [event["charge"] for event in events] == ["r1", "r3"]
    assert all((event["amount"], event["note"]) == (1999, "gift") for event in events)
    assert (rejected.key(), rejected.value()) == (
        b"*" * 16,
        orjson.dumps(rows[3]).replace(pan.encode(), b"*" * 16),
    )
    assert pan not in log
    assert key not in log
