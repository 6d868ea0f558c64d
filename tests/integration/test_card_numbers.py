"""Card numbers in every place an event has: a worker shows them nowhere, however much it says."""

import hashlib
import hmac
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Message

from streams.kafka.config import Admin, client_config
from streams.kafka.topics import Topics, ensure_topics
from tests.integration.kafka import Kafka
from tests.integration.worker import WorkerProcess
from tests.schemas.events import CHARGE, DISPUTE, OPTIONAL
from tests.schemas.reference import grouped, with_check_digit

TIMEOUT_S = 60.0
LAYOUTS = [[13], [16], [19], [4, 4, 4, 4], [4, 6, 5]]
REJECTING = {"id", "charge", "card", "merchant", "amount", "created", "currency"}
KEY = "a key of sixteen bytes or more"


@pytest.fixture
def topics(kafka: Kafka, prefix: str) -> Topics:
    topics = Topics(prefix)
    ensure_topics(Admin(client_config(kafka.bootstrap_servers, {})), topics, 1)
    return topics


def numbers() -> Iterator[str]:
    """Yield numbers no two of which are alike, in all layouts."""
    for number in count():
        layout = LAYOUTS[number % len(LAYOUTS)]
        start = "37" if sum(layout) == 15 else "4"
        middle = f"{number * 7919 + 420_135_791:0{sum(layout) - len(start) - 1}}"
        digits = with_check_digit(f"{start}{middle}")
        yield grouped(digits, layout, " -"[number % 2])


def escaped(text: str) -> str:
    """Write a text as JSON escapes."""
    return "".join(f"\\u{ord(character):04x}" for character in text)


def masked_events(event: dict[str, object], number: Iterator[str]) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and payloads of valid events, each with a card number of its own in some place."""
    for name in event.keys() - REJECTING:
        yield b"tok_1", orjson.dumps(event | {name: next(number)})
    for other in (
        {"note": next(number)},
        {"order": {"lines": [{"paid": [f"with {next(number)}."]}]}},
        {next(number): 1},
        {"paid_with": int(re.sub("[ -]", "", next(number)))},
    ):
        yield b"tok_1", orjson.dumps(event | other)
    yield (
        b"tok_1",
        orjson.dumps(event | {"note": "?"}).replace(b"?", escaped(next(number)).encode()),
    )


def rejected_events(
    event: dict[str, object], number: Iterator[str]
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the same of events that are none."""
    for name in event.keys() & REJECTING:
        one = event | {name: next(number)}
        yield str(one["card"]).encode(), orjson.dumps(one)
    yield next(number).encode(), orjson.dumps(event)
    yield next(number).encode(), b"no JSON: " + next(number).encode()
    yield b"tok_1", orjson.dumps(event)[:-1] + b',"id":"%b"}' % next(number).encode()


def shown(message: Message) -> str:
    """Return everything a message shows."""
    payload = b"\n".join([message.key() or b"", message.value() or b""]).decode("latin-1")
    return f"{payload}\n{message.headers()}"


def unescaped(text: str) -> str:
    return re.sub(r"\\u([0-9a-f]{4})", lambda escape: chr(int(escape[1], 16)), text)


def test_no_card_number_is_shown_anywhere(kafka: Kafka, topics: Topics, tmp_path: Path) -> None:
    used: list[str] = []

    def number() -> Iterator[str]:
        for text in numbers():
            used.append(re.sub("[ -]", "", text))
            yield text

    source = number()
    charge = {**CHARGE, **OPTIONAL}
    masked = list(masked_events(charge, source))
    rejected = list(rejected_events(charge, source))
    disputes = list(masked_events(dict(DISPUTE), source))
    rejected_disputes = list(rejected_events(dict(DISPUTE), source))
    env = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CHARGEWATCH_TOPIC_PREFIX": topics.prefix,
        "CHARGEWATCH_LOG_LEVEL": "debug",
        "CHARGEWATCH_CARD_NUMBERS": "strict",
    }
    with WorkerProcess(tmp_path, env) as worker:
        worker.wait_until_ready()
        kafka.produce(topics.charges, masked + rejected)
        kafka.produce(topics.disputes, disputes + rejected_disputes)
        kafka.produce(topics.charges, [(b"tok_1", orjson.dumps(CHARGE))])
        worker.wait_for_metric("chargewatch_rejected_total", len(rejected) + len(rejected_disputes))
        worker.wait_for_metric("chargewatch_scored_total", len(masked) + 1)
        worker.wait_for_metric("chargewatch_findings_total", len(masked) + len(disputes))
        told = [worker.page("/metrics")[1]]
        assert worker.stop() == 0
        told.append(worker.text())
    scored = [orjson.loads(message.value() or b"") for message in kafka.read_all(topics.scored)]
    assert [len(event.get("masked", [])) for event in scored] == [1] * len(masked) + [0]
    written = set(topics.configs()) - {topics.charges, topics.disputes}
    for topic in sorted(written):
        told.extend(map(shown, kafka.read_all(topic)))
    everything = "\n".join(told)
    digits = re.sub("[ -]", "", everything + unescaped(everything))
    assert len(set(used)) == len(used) > 40
    assert [one for one in used if one in digits] == []


def test_a_hashed_card_meets_its_dispute(kafka: Kafka, topics: Topics, tmp_path: Path) -> None:
    number = "4242424242424242"
    spaced = grouped(number, [4, 4, 4, 4], " ")
    env = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CHARGEWATCH_TOPIC_PREFIX": topics.prefix,
        "CHARGEWATCH_LOG_LEVEL": "debug",
        "CHARGEWATCH_CARD_HASH_KEY": KEY,
    }
    with WorkerProcess(tmp_path, env) as worker:
        worker.wait_until_ready()
        charge = orjson.dumps({**CHARGE, "card": number})
        kafka.produce(topics.charges, [(number.encode(), charge)])
        worker.wait_for_metric("chargewatch_scored_total", 1)
        kafka.produce(
            topics.disputes, [(spaced.encode(), orjson.dumps({**DISPUTE, "card": spaced}))]
        )
        worker.wait_for_metric('chargewatch_examples_total{label="fraud"}', 1)
        assert worker.stop() == 0
        told = worker.text()
    (message,) = kafka.read_all(topics.scored)
    token = "hmac_" + hmac.new(KEY.encode(), number.encode(), hashlib.sha256).hexdigest()
    assert message.key() == token.encode()
    assert orjson.loads(message.value() or b"")["card"] == token
    written = set(topics.configs()) - {topics.charges, topics.disputes}
    for topic in sorted(written):
        told += "".join(map(shown, kafka.read_all(topic)))
    assert number not in re.sub("[ -]", "", told)
    assert KEY not in told
