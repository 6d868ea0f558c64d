"""A worker on a real Kafka, seen by a client that is not ours."""

import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from confluent_kafka import Message

from agents.stages.tasks import STATE_FORMS
from schemas.scored import Scored
from streams.engine.task import BETWEEN_STAGES, LATER_POSITIONS, POSITIONS
from streams.kafka.topics import Topics
from streams.simulator import Simulation
from streams.state.rocksdb import RocksStore
from streams.state.store import KeyRange
from streams.state.tables import META
from tests.integration.kafka import Kafka
from tests.integration.worker import WorkerProcess

START = 1.75e9
DAY_S = 86_400.0
ABSENT = {"duplicate", "shadow", "ignored", "masked", "holdout", "rules", "rule_set"}
FIELDS = set(Scored.__struct_fields__) - ABSENT


@pytest.fixture
def env(kafka: Kafka, prefix: str) -> dict[str, str]:
    topics = Topics(prefix)
    for name, config in topics.configs().items():
        count = 1 if name in topics.of_one_partition else 3
        kafka.create(name, count, config)
    return {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CHARGEWATCH_TOPIC_PREFIX": prefix,
        "CHARGEWATCH_SESSION_TIMEOUT_MS": "6000",
    }


def charge(number: int, **fields: object) -> dict[str, object]:
    return {
        "id": f"ch_{number}",
        "created": START + number,
        "amount": 1000 + number,
        "currency": "usd",
        "card": f"card_{number % 7}",
        "merchant": f"acct_{number % 3}",
        **fields,
    }


def produce(kafka: Kafka, topic: str, events: list[dict[str, object]]) -> None:
    kafka.produce(topic, [(str(event["card"]).encode(), orjson.dumps(event)) for event in events])


def values(messages: list[Message]) -> list[dict[str, object]]:
    return [orjson.loads(message.value() or b"") for message in messages]


def databases(state_dir: Path) -> dict[str, dict[bytes, bytes]]:
    """Return everything in every task's database but where its changelog stands.

    Nor how far it has read what the stages send each other: the marker of a commit that is the last
    there is passed with the next one, whenever that is.
    """
    contents = {}
    for path in sorted(path.parent for path in state_dir.rglob("CURRENT")):
        store = RocksStore(path, *STATE_FORMS)
        records = dict(store.scan(KeyRange(b"\x01", b"\xff")))
        for key in (META + POSITIONS, META + LATER_POSITIONS):
            told = orjson.loads(records[key])
            inputs = {source: at for source, at in told.items() if source not in BETWEEN_STAGES}
            records[key] = orjson.dumps(inputs)
        contents[path.name] = records
        store.close()
    return contents


def test_every_charge_is_scored_and_bad_input_rejected(
    kafka: Kafka, prefix: str, env: dict[str, str], tmp_path: Path
) -> None:
    good = [charge(number, order={"lines": [number]}) for number in range(200)]
    bad = {
        b"no json": b"{",
        b"wrong type": orjson.dumps(charge(900, amount="19.99")),
        b"no merchant": orjson.dumps({k: v for k, v in charge(901).items() if k != "merchant"}),
        b"card_3": orjson.dumps(charge(902)),  # the key of another card
        b"card_1": orjson.dumps(charge(903, card="pan 4242 4242 4242 4242")),
        b"card_2": orjson.dumps(charge(904, card="card_2", created=time.time() + 30 * DAY_S)),
        b"large": orjson.dumps(charge(905, note="x" * 100_000)),
    }
    with WorkerProcess(tmp_path, env) as worker:
        worker.wait_until_ready()
        produce(kafka, f"{prefix}charges", good[:100])
        kafka.produce(f"{prefix}charges", list(bad.items()))
        produce(kafka, f"{prefix}charges", good[100:])
        kafka.produce(f"{prefix}disputes", [(b"card_0", b"[]")])
        scored = kafka.consume(f"{prefix}scored", len(good))
        rejected = kafka.consume(f"{prefix}charges.rejected", len(bad) + 1)
        worker.wait_for_metric("chargewatch_scored_total", len(good))
        assert worker.metric("chargewatch_scored_total") == len(good)
        assert worker.metric("chargewatch_rejected_total") == len(bad) + 1
        assert worker.stop() == 0
    assert len(kafka.read_all(f"{prefix}scored")) == len(good)
    by_id = {event["charge"]: event for event in values(scored)}
    for event in good:
        answer = by_id[event["id"]]
        same = ("card", "merchant", "amount", "currency", "created")
        assert {name: answer[name] for name in same} == {name: event[name] for name in same}
        assert answer.keys() >= FIELDS
        assert 0.0 <= float(str(answer["score"])) <= 1.0
        assert answer["model"] == "prior"
        assert answer["order"] == event["order"]
    for message, event in zip(scored, values(scored), strict=True):
        assert message.key() == str(event["card"]).encode()
    for message in rejected:
        headers = dict(message.headers() or [])
        assert set(headers) == {"error", "topic", "partition", "offset"}
        if message.key() == b"card_0":
            assert headers["topic"] == f"{prefix}disputes".encode()
        elif message.key() == b"card_1":
            assert b"4242" not in (message.value() or b"")
            assert message.value() == bad[b"card_1"].replace(b"4242", b"****")
        else:
            assert message.value() == bad[message.key() or b""]


def test_headers_go_along(kafka: Kafka, prefix: str, env: dict[str, str], tmp_path: Path) -> None:
    """To scored events and rejected copies, in their transactions; with and without them mixed."""
    trace: list[tuple[str, bytes | None]] = [
        ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("x", None),
    ]
    good = [charge(number) for number in range(40)]
    with WorkerProcess(tmp_path, env) as worker:
        worker.wait_until_ready()
        for number, event in enumerate(good):
            key, value = str(event["card"]).encode(), orjson.dumps(event)
            headers = [*trace, ("number", b"%d" % number)] if number % 2 else None
            kafka.publish(f"{prefix}charges", [(-1, key, value)], headers=headers)
        kafka.publish(f"{prefix}disputes", [(-1, b"k", b"{")], headers=[*trace, ("error", b"own")])
        scored = kafka.consume(f"{prefix}scored", len(good))
        (rejected,) = kafka.consume(f"{prefix}charges.rejected", 1)
    for message in scored:
        number = int(orjson.loads(message.value() or b"")["charge"].removeprefix("ch_"))
        wanted = [*trace, ("number", b"%d" % number)] if number % 2 else None
        assert message.headers() == wanted
    told = list(rejected.headers() or [])
    assert told[4:] == trace
    assert [name for name, _ in told[:4]] == ["error", "topic", "partition", "offset"]
    assert dict(cast("Any", told))["error"] != b"own"


def test_a_cards_charges_are_scored_in_order(
    kafka: Kafka, prefix: str, env: dict[str, str], tmp_path: Path
) -> None:
    events = [charge(number) for number in range(3000)]
    with WorkerProcess(tmp_path, env) as worker:
        worker.wait_until_ready()
        produce(kafka, f"{prefix}charges", events)
        scored = values(kafka.consume(f"{prefix}scored", len(events)))
    for card in range(7):
        mine = [event["charge"] for event in scored if event["card"] == f"card_{card}"]
        assert mine == [event["id"] for event in events if event["card"] == f"card_{card}"]


def test_stopped_worker_goes_on_and_a_deleted_state_is_restored(
    kafka: Kafka, prefix: str, env: dict[str, str], tmp_path: Path
) -> None:
    simulation = Simulation(seed=5, cards=300, merchants=30, days=4, charges_per_day=1500)
    events = [event for event in simulation.events() if event.publish_time < simulation.start + 4e5]
    half = len(events) // 2

    def publish(part: slice) -> int:
        for topic in ("charges", "disputes"):
            kafka.produce(
                f"{prefix}{topic}",
                [(e.key, orjson.dumps(e.value)) for e in events[part] if e.topic == topic],
            )
        return sum(event.topic == "charges" for event in events[part])

    expected = publish(slice(0, half))
    with WorkerProcess(tmp_path, env) as worker:
        kafka.consume(f"{prefix}scored", expected)
        assert worker.stop() == 0
    stopped = databases(worker.state_dir)
    assert sum(map(len, stopped.values())) > half / 2

    with WorkerProcess(tmp_path, env) as worker:
        worker.wait_until_ready()
        assert worker.stop() == 0
    assert databases(worker.state_dir) == stopped, "a restart must not change the state"

    shutil.rmtree(worker.state_dir)
    with WorkerProcess(tmp_path, env) as worker:
        worker.wait_until_ready()
        assert worker.stop() == 0
    restored = databases(worker.state_dir)
    assert restored == stopped, "the changelog must hold the same records, byte for byte"

    # A duplicate of the first half's last charge is known after all this.
    last = next(event for event in reversed(events[:half]) if event.topic == "charges")
    kafka.produce(f"{prefix}charges", [(last.key, orjson.dumps(last.value))])
    expected += 1 + publish(slice(half, None))
    with WorkerProcess(tmp_path, env) as worker:
        scored = values(kafka.consume(f"{prefix}scored", expected))
        assert worker.stop() == 0
    scores = [event for event in scored if event["charge"] == last.value["id"]]
    assert [event.get("duplicate", False) for event in scores[-1:]] == [True]
    assert len({str(event["score"]) for event in scores}) == 1
    assert len(kafka.read_all(f"{prefix}scored")) == expected


def test_two_workers_share_the_partitions(
    kafka: Kafka, prefix: str, env: dict[str, str], tmp_path: Path
) -> None:
    events = [charge(number) for number in range(6000)]
    with WorkerProcess(tmp_path / "a", env) as first:
        first.wait_until_ready()
        produce(kafka, f"{prefix}charges", events[:2000])
        kafka.consume(f"{prefix}scored", 2000)
        with WorkerProcess(tmp_path / "b", env) as second:
            produce(kafka, f"{prefix}charges", events[2000:4000])
            second.wait_until_ready()
            produce(kafka, f"{prefix}charges", events[4000:])
            kafka.consume(f"{prefix}scored", len(events))
            first.wait_for_metric("chargewatch_scored_total", 2001)
            second.wait_for_metric("chargewatch_scored_total", 1)
            assert first.stop() == second.stop() == 0
    scored = Counter(event["charge"] for event in values(kafka.read_all(f"{prefix}scored")))
    assert scored == Counter(event["id"] for event in events)


def test_a_killed_workers_charges_are_scored_once(
    kafka: Kafka, prefix: str, env: dict[str, str], tmp_path: Path
) -> None:
    events = [charge(number) for number in range(40_000)]
    with WorkerProcess(tmp_path / "a", env) as worker:
        worker.wait_until_ready()
        produce(kafka, f"{prefix}charges", events)
        kafka.consume(f"{prefix}scored", 1)
        worker.kill()
    done = len(kafka.read_all(f"{prefix}scored"))
    assert done < len(events), "it was killed too late to have left work"
    with WorkerProcess(tmp_path / "a", env):
        kafka.consume(f"{prefix}scored", len(events))
    scored = Counter(event["charge"] for event in values(kafka.read_all(f"{prefix}scored")))
    assert scored == Counter(event["id"] for event in events)


def test_a_worker_told_to_stop_before_it_has_tasks_ends_as_one_that_has(
    env: dict[str, str], tmp_path: Path
) -> None:
    with WorkerProcess(tmp_path, env) as worker:
        worker.wait_until_logged("loading the kernels")
        assert worker.stop() == 0
        assert "tasks assigned" not in worker.text()
