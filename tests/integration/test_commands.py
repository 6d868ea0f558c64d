"""The commands against a real Kafka, seen by a client that is not ours."""

import signal
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread

import orjson
import pytest
from click.testing import CliRunner, Result

from agents.commands import chargewatch
from schemas.topics import TOPICS
from streams.kafka.subscriber import Subscriber
from tests.integration.kafka import Kafka

SCORED = {
    "charge": "c1",
    "card": "card_1",
    "merchant": "acct_1",
    "amount": 1999,
    "currency": "usd",
    "created": 1.75e9,
    "score": 0.91,
    "action": "block",
    "reasons": [{"feature": "f", "value": 9.0, "text": "9 charges in the last hour"}],
    "model": "linear-0000000009",
    "scored_at": 1.75e9,
}


@pytest.fixture
def env(kafka: Kafka, prefix: str) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CHARGEWATCH_TOPIC_PREFIX": prefix,
    }


def invoke(env: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(chargewatch, arguments, env=env)


def test_topics_are_made_and_then_found(env: dict[str, str], kafka: Kafka, prefix: str) -> None:
    made = invoke(env, "topics", "--partitions", "3")
    assert made.exit_code == 0, made.output
    assert made.output.count("created") == len(TOPICS)
    assert kafka.partitions(f"{prefix}charges") == 3
    found = invoke(env, "topics")
    assert found.output.count("ok") == len(TOPICS)
    refused = invoke(env, "topics", "--partitions", "4")
    assert refused.exit_code == 1
    assert refused.output == f"Error: topic {prefix}charges has 3 partitions, not 4\n"


def test_publish_needs_its_topic(env: dict[str, str], prefix: str, tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text('{"amount":1}')
    result = invoke(env, "publish", "--allow-rejected", str(path))
    assert result.exit_code == 1
    assert result.output.endswith(
        f"Error: topic {prefix}charges: not there; `chargewatch topics` makes it\n"
    )


def test_publish_byte_for_byte_with_the_best_key(
    env: dict[str, str], kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    lines: dict[bytes, bytes | None] = {
        b'{"id":"c1","amount":1999,"card":"card_1"}': b"card_1",
        b'{ "card" : "card_2", "amount": "1" }': b"card_2",
        b'{"card": 7}': None,
        b"not JSON \xff": None,
        b"[]": None,
    }
    path = tmp_path / "f.jsonl"
    path.write_bytes(b"\n".join(lines))
    invoke(env, "topics", "--partitions", "1")
    refused = invoke(env, "publish", str(path))
    assert refused.exit_code == 1
    assert "5 of 5 events cannot be used: " in refused.output
    result = invoke(env, "publish", "--allow-rejected", str(path))
    assert result.exit_code == 0, result.output
    assert f"5 events to {prefix}charges\n5 of them are not valid" in result.output
    messages = kafka.read_all(f"{prefix}charges")
    assert [(message.value(), message.key()) for message in messages] == list(lines.items())
    path.write_bytes(
        b'{"id":"d1","charge":"c1","card":"card_1","merchant":"m","created":1,"amount":5,'
        b'"currency":"usd","reason":"fraudulent"}'
    )
    for options in ((), ("--as", "disputes"), ("--topic", "disputes")):
        assert invoke(env, "publish", *options, str(path)).exit_code == 0
    assert [message.key() for message in kafka.read_all(f"{prefix}disputes")] == [b"card_1"] * 3


def test_publish_tells_what_was_not_delivered(
    env: dict[str, str], kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    path = tmp_path / "f.jsonl"
    path.write_bytes(b'{"amount":1}\n{"amount":"' + b"9" * 1_100_000 + b'"}\n{"amount":2}')
    invoke(env, "topics", "--partitions", "1")
    result = invoke(env, "publish", "--allow-rejected", str(path))
    assert result.exit_code == 1
    assert "Error: 1 events were not delivered: " in result.output
    values = [message.value() for message in kafka.read_all(f"{prefix}charges")]
    assert values == [b'{"amount":1}', b'{"amount":2}']


def test_simulate_reaches_the_topics(env: dict[str, str], kafka: Kafka, prefix: str) -> None:
    invoke(env, "topics", "--partitions", "2")
    options = ("--days", "10", "--cards", "100", "--merchants", "10", "--charges-per-day", "300")
    files = ("--charges", "charges.jsonl", "--disputes", "disputes.jsonl")
    start = ("--seed", "3", "--start", "1.75e9")
    with CliRunner().isolated_filesystem():
        assert invoke(env, "simulate", *options, *start, *files).exit_code == 0
        expected = {
            topic: sorted(Path(f"{topic}.jsonl").read_bytes().splitlines())
            for topic in ("charges", "disputes")
        }
    assert invoke(env, "simulate", *options, *start).exit_code == 0
    for topic, events in expected.items():
        messages = kafka.read_all(f"{prefix}{topic}")
        values = [message.value() for message in messages]
        assert sorted(value for value in values if value is not None) == events
        for message in messages:
            value = message.value()
            assert value is not None
            assert message.key() == orjson.loads(value)["card"].encode()


def test_simulate_acts_on_what_is_scored(env: dict[str, str], kafka: Kafka, prefix: str) -> None:
    """Review by review, by a stand-in for a worker: what is refused is not disputed."""
    invoke(env, "topics", "--partitions", "2")
    options = ("--days", "10", "--cards", "100", "--merchants", "10", "--charges-per-day", "300")
    is_over = Event()
    scorer = Thread(target=review_everything, args=(kafka, prefix, is_over))
    scorer.start()
    try:
        result = invoke(env, "simulate", "--act", "--seed", "3", "--start", "1.75e9", *options)
    finally:
        is_over.set()
        scorer.join()
    assert result.exit_code == 0, result.output
    outcomes, disputes, charges = (
        [orjson.loads(message.value() or b"") for message in kafka.read_all(f"{prefix}{topic}")]
        for topic in ("outcomes", "disputes", "charges")
    )
    refused = {o["charge"] for o in outcomes if o["outcome"] == "review_fraud"}
    assert {o["outcome"] for o in outcomes} == {"review_fraud", "review_genuine"}
    assert len({o["id"] for o in outcomes}) == len(outcomes) == len({c["id"] for c in charges})
    assert not refused & {dispute["charge"] for dispute in disputes}
    assert disputes, "reviews miss some"
    said = " ".join(result.output.split())
    assert f"{len(refused):,} charges were stopped" in said
    assert f"{len(outcomes):,} outcomes to {prefix}outcomes" in said


def review_everything(kafka: Kafka, prefix: str, is_over: Event) -> None:
    topics = [f"{prefix}charges"]
    with Subscriber(kafka.config, topics, from_beginning=True) as subscriber:
        while not is_over.is_set():
            charges = [orjson.loads(m.value() or b"") for m in subscriber.read(0.1)]
            scored = [
                (
                    charge["card"].encode(),
                    orjson.dumps(SCORED | charge | {"charge": charge["id"], "action": "review"}),
                )
                for charge in charges
            ]
            kafka.produce(f"{prefix}scored", scored)


def test_watch_follows_and_sums_up(env: dict[str, str], kafka: Kafka, prefix: str) -> None:
    invoke(env, "topics", "--partitions", "2")
    events = [
        SCORED | {"charge": f"c{number}", "action": action}
        for number, action in enumerate(["allow", "block", "challenge", "block"])
    ]
    values = [orjson.dumps(event) for event in events]
    kafka.produce(f"{prefix}scored", [(b"card_1", value) for value in values])
    assert [message.value() for message in kafka.read_all(f"{prefix}scored")] == values
    arguments = ["watch", "--json", "--action", "block", "--from-beginning"]
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "agents", *arguments],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watch:
        assert watch.stdout is not None
        seen = [orjson.loads(watch.stdout.readline()) for _ in range(2)]
        assert seen == [event for event in events if event["action"] == "block"]
        watch.send_signal(signal.SIGINT)
        _, summary = watch.communicate(timeout=20)
    assert summary.startswith("4 charges in ")
    assert summary.endswith(": 1 allow, 1 challenge, 0 review, 2 block\n")
    assert watch.returncode == 0
