"""Outcomes on a real Kafka: each counts for what it says, once, or is rejected."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import orjson
import pytest

from schemas.charge import Charge
from streams.events.rows import CHARGE, charge_rows
from streams.kafka.config import Admin, client_config
from streams.kafka.topics import Topics, ensure_topics
from streams.wire.examples import BY_DISPUTE, BY_SILENCE, BY_VERDICT, decode_examples
from tests.integration.frames import frames_in
from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from confluent_kafka import Message

    from tests.integration.kafka import Kafka


START = 1.75e9
MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0
HORIZON_DAYS = 10
PARTITIONS = 3
TIMEOUT_S = 90.0
EVERYWHERE = range(60)
"""As many cards and merchants, to have charges in every partition."""

GENUINE, VERDICT, DISPUTED = (0, BY_SILENCE), (1, BY_VERDICT), (1, BY_DISPUTE)
"""Label of an example, and what it is by."""


class Case(NamedTuple):
    """What became of a charge, in the order of the days, and the label that it is to have."""

    came: list[tuple[str, dict[str, str]]]
    label: tuple[int, int] | None


def said(outcome: str, **fields: str) -> tuple[str, dict[str, str]]:
    return "outcomes", {"outcome": outcome, **fields}


FRAUD = ("disputes", {"reason": "fraudulent"})
CASES = {
    "silence": Case([], GENUINE),
    "authorized": Case([said("authorized")], GENUINE),
    "declined": Case([said("declined")], None),
    "blocked": Case([said("blocked")], None),
    "canceled": Case([said("canceled")], None),
    "challenge_passed": Case([said("challenge_passed")], GENUINE),
    "challenge_failed": Case([said("challenge_failed")], None),
    "challenge_abandoned": Case([said("challenge_abandoned")], None),
    "review_fraud": Case([said("review_fraud")], VERDICT),
    "review_genuine": Case([said("review_genuine")], GENUINE),
    "refunded": Case([said("refunded")], None),
    "answered allow": Case([said("answered", action="allow")], GENUINE),
    "answered challenge": Case([said("answered", action="challenge")], None),
    "answered review": Case([said("answered", action="review")], None),
    "answered block": Case([said("answered", action="block")], None),
    "in capitals": Case([said("ANSWERED", action="Block")], None),
    "disputed": Case([FRAUD], DISPUTED),
    "declined, then disputed": Case([said("declined"), FRAUD], DISPUTED),
    "refunded, then disputed": Case([said("refunded"), FRAUD], DISPUTED),
    "a verdict, then disputed": Case([said("review_fraud"), FRAUD], VERDICT),
    "disputed, then a verdict": Case([FRAUD, said("review_fraud")], DISPUTED),
    "disputed and won": Case([FRAUD, said("dispute_won")], DISPUTED),
    "declined, then authorized": Case([said("declined"), said("authorized")], GENUINE),
    "sent twice": Case([said("review_fraud"), said("review_fraud")], VERDICT),
}
"""By what the topics are said to mean. All are allowed: their amounts are small."""


@pytest.fixture
def topics(kafka: Kafka, prefix: str) -> Topics:
    made = Topics(prefix)
    ensure_topics(Admin(client_config(kafka.bootstrap_servers, {})), made, PARTITIONS)
    return made


@pytest.fixture
def env(kafka: Kafka, topics: Topics) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CHARGEWATCH_TOPIC_PREFIX": topics.prefix,
        "CHARGEWATCH_SESSION_TIMEOUT_MS": "6000",
        "CHARGEWATCH_LABEL_HORIZON_DAYS": str(HORIZON_DAYS),
        "CHARGEWATCH_DISPUTE_RETENTION_DAYS": str(3 * HORIZON_DAYS),
        "CHARGEWATCH_NEGATIVE_RATE": "1.0",
        "CHARGEWATCH_HOLDOUT_SHARE": "0",
    }


def charge(name: str, created: float, card: str, merchant: str) -> dict[str, Any]:
    return {
        "id": name, "created": created, "amount": 500, "currency": "usd", "card": card,
        "merchant": merchant,
    }  # fmt: skip


def about(made: dict[str, Any], created: float, **fields: str) -> dict[str, Any]:
    """Make a dispute or an outcome of a charge."""
    same = {name: made[name] for name in ("card", "merchant")}
    event_id = f"{made['id']}, {fields}, {created}"
    return {"id": event_id, "charge": made["id"], "created": created, **same, **fields}


def charges_everywhere(name: str, created: float) -> list[dict[str, Any]]:
    return [charge(f"{name} {n}", created + n, f"card {n}", f"shop {n}") for n in EVERYWHERE]


def produce(kafka: Kafka, topic: str, events: Iterable[dict[str, Any]]) -> None:
    kafka.produce(topic, [(event["card"].encode(), orjson.dumps(event)) for event in events])


def wait_until(what: Callable[[], str]) -> None:
    """Wait until something holds: until what is missing is nothing."""
    deadline = time.monotonic() + TIMEOUT_S
    while missing := what():
        assert time.monotonic() < deadline, missing
        time.sleep(0.3)


def labels_counted(kafka: Kafka, topics: Topics) -> Counter[int]:
    """Return how many disputes and outcomes of each kind have gone on to their merchants."""
    frames = frames_in(kafka.read_all(topics.by_merchant))
    if frames is None:
        return Counter()
    kinds = frames.rows["event"]["kind"]
    return Counter(kinds[kinds != CHARGE].tolist())


def labels_learned(
    kafka: Kafka, topics: Topics, charges: Iterable[dict[str, Any]]
) -> dict[str, list[tuple[int, int]]]:
    """Return the labels that the learners were given, by charge: controls are none."""
    values = [message.value() or b"" for message in kafka.read_all(topics.examples)]
    made = [Charge(**event) for event in charges]
    names = {
        row.tobytes(): each.id for row, each in zip(charge_rows(made)["charge"], made, strict=True)
    }
    learned: dict[str, list[tuple[int, int]]] = {}
    if values:
        examples = decode_examples(values)
        for example in examples[np.isin(examples["source"], [BY_SILENCE, BY_VERDICT, BY_DISPUTE])]:
            label = (int(example["label"]), int(example["source"]))
            if name := names.get(example["charge"].tobytes()):
                learned.setdefault(name, []).append(label)
    return learned


def test_each_outcome_teaches_what_it_says(
    kafka: Kafka, topics: Topics, env: dict[str, str], tmp_path: Path
) -> None:
    """A label at once, at the horizon or none, and one label a charge whatever comes.

    Debits have none by then. Theirs come after two months, and a dispute after four finds its
    charge, when those of cards have long been forgotten.
    """
    charges = [
        charge(name, START + n, f"card of {name}", f"shop {n % 7}") for n, name in enumerate(CASES)
    ]
    sent: dict[str, list[dict[str, Any]]] = {"outcomes": [], "disputes": []}
    for made in charges:
        for day, (topic, fields) in enumerate(CASES[made["id"]].came, 1):
            sent[topic].append(about(made, made["created"] + day * DAY_S, **fields))
    count = sum(map(len, sent.values()))

    def of_debits() -> dict[str, list[tuple[int, int]]]:
        return labels_learned(kafka, topics, debits)

    bad = malformed(charges[0])
    debits = [
        charge(name, START, f"account of {name}", "shop 1") | {"payment_method": "sepa_debit"}
        for name in ("silent debit", "disputed debit")
    ]
    with WorkerProcess(tmp_path, env) as worker:
        worker.wait_until_ready()
        produce(kafka, topics.charges, [*debits, *charges])
        for topic, events in sent.items():
            produce(kafka, getattr(topics, topic), events)
        kafka.produce(topics.outcomes, [(key, value) for key, value, _ in bad])
        produce(kafka, topics.charges, charges_everywhere("day 5", START + 5 * DAY_S))
        wait_until(lambda: missing(labels_counted(kafka, topics).total(), count))
        after = charges_everywhere("after", START + (HORIZON_DAYS + 2) * DAY_S)
        produce(kafka, topics.charges, after)
        wanted = {name: [case.label] for name, case in CASES.items() if case.label}
        wait_until(lambda: missing(len(labels_learned(kafka, topics, charges)), len(wanted)))
        assert of_debits() == {}
        rejected = kafka.consume(topics.rejected, len(bad))
        produce(kafka, topics.charges, charges_everywhere("month 4", START + 120 * DAY_S))
        late = about(debits[1], START + 120 * DAY_S, reason="fraudulent")
        produce(kafka, topics.disputes, [late])
        produce(kafka, topics.charges, charges_everywhere("then", START + 121 * DAY_S))
        wait_until(lambda: missing(sum(map(len, of_debits().values())), 3))
        assert worker.metric("chargewatch_rejected_total") == len(bad)
        assert worker.stop() == 0
    assert labels_learned(kafka, topics, charges) == wanted
    assert of_debits() == {"silent debit": [GENUINE], "disputed debit": [GENUINE, DISPUTED]}
    told = {message.key(): (message.value(), headers_of(message)) for message in rejected}
    assert len(kafka.read_all(topics.rejected)) == len(bad)
    for key, value, error in bad:
        copy, headers = told[key]
        assert copy == value.replace(b"4242424242424242", b"*" * 16)
        assert headers.keys() == {"error", "topic", "partition", "offset"}
        assert error.encode() in headers["error"]
        assert headers["topic"] == topics.outcomes.encode()
        assert places(kafka, topics)[key] == (headers["partition"], headers["offset"])


def headers_of(message: Message) -> dict[str, bytes]:
    return dict(cast("Any", message.headers() or []))


def missing(found: int, wanted: int) -> str:
    return "" if found >= wanted else f"{found} of {wanted}"


def malformed(made: dict[str, Any]) -> list[tuple[bytes, bytes, str]]:
    """Return outcomes that are none, under keys of their own, and what is to be said of them."""
    events: list[tuple[dict[str, Any], str]] = [
        ({"outcome": "approved"}, "outcome: expected one of answered, "),
        ({"outcome": 1}, "outcome: expected one of answered, "),
        ({"outcome": None}, "outcome: expected one of answered, "),
        ({"outcome": "answered"}, "an `answered` outcome says which action was given"),
        ({"outcome": "answered", "action": "wait"}, 'got "wait"'),
        ({"outcome": "blocked", "created": "now"}, "created: expected a number of at least 0"),
        ({"outcome": "blocked", "charge": None}, "charge: expected a string of 1 to 128"),
        ({"outcome": "blocked", "merchant": ""}, "merchant: expected a string of 1 to 128"),
        ({"outcome": "4242424242424242"}, "outcome: expected one of answered, "),
    ]
    found = [
        (
            f"bad {n}".encode(),
            orjson.dumps({**about(made, START), "card": f"bad {n}", **fields}),
            error,
        )
        for n, (fields, error) in enumerate(events)
    ]
    whole = orjson.dumps(about(made, START, outcome="blocked"))
    return [*found, (b"no JSON", b"{", "payload: "), (b"other", whole, "key: expected the event's")]


def places(kafka: Kafka, topics: Topics) -> dict[bytes | None, tuple[bytes, bytes]]:
    """Return partition and offset of what is on the topic of outcomes, by key, as headers say."""
    return {
        message.key(): (b"%d" % (message.partition() or 0), b"%d" % (message.offset() or 0))
        for message in kafka.read_all(topics.outcomes)
    }


def test_an_outcome_waits_for_its_charge_and_is_given_up_when_it_does_not_come(
    kafka: Kafka, topics: Topics, env: dict[str, str], tmp_path: Path
) -> None:
    late = charge("late", START + HOUR_S, "card 0", "shop 0")
    never = charge("never", START + HOUR_S, "card 0", "shop 0")
    verdicts = [
        about(made, START + HOUR_S + MINUTE_S, outcome="review_fraud") for made in (late, never)
    ]
    with WorkerProcess(tmp_path, env | {"CHARGEWATCH_ORPHAN_WAIT_HOURS": "3"}) as worker:
        worker.wait_until_ready()
        produce(kafka, topics.charges, charges_everywhere("first", START))
        produce(kafka, topics.outcomes, verdicts)
        wait_until(lambda: missing(waiting_for_charge(worker), 2))
        assert labels_learned(kafka, topics, [late]) == {}

        produce(kafka, topics.charges, [late, *charges_everywhere("soon", START + 3 * HOUR_S)])
        wait_until(lambda: missing(len(labels_learned(kafka, topics, [late])), 1))
        wait_until(lambda: missing(2 - waiting_for_charge(worker), 1))
        assert kafka.read_all(topics.rejected) == [], "charges have not passed it by three hours"

        produce(kafka, topics.charges, charges_everywhere("passed", START + 5 * HOUR_S))
        (rejected,) = kafka.consume(topics.rejected, 1)
        wait_until(lambda: missing(2 - waiting_for_charge(worker), 2))
        assert "given up: 1 " in worker.text()
        assert worker.stop() == 0
    assert labels_learned(kafka, topics, [late]) == {"late": [VERDICT]}
    headers = headers_of(rejected)
    assert (rejected.key(), rejected.value()) == (b"card 0", orjson.dumps(verdicts[1]))
    assert headers["topic"] == topics.outcomes.encode()
    assert headers["error"].startswith(b"charge: no such charge of this card has come")
    assert len(kafka.read_all(topics.rejected)) == 1


def waiting_for_charge(worker: WorkerProcess) -> int:
    return int(worker.metric('chargewatch_disputes_waiting{until="charge"}'))


def test_a_killed_worker_counts_no_outcome_twice(
    kafka: Kafka, topics: Topics, env: dict[str, str], tmp_path: Path
) -> None:
    env |= {"CHARGEWATCH_INSTANCE_ID": "only"}  # to be back at once
    charges = [
        charge(f"c{n}", START + n * MINUTE_S, f"card {n % 60}", f"shop {n % 60}")
        for n in range(3000)
    ]
    verdicts = [
        about(made, made["created"] + HOUR_S, outcome="review_fraud") for made in charges[::2]
    ]
    produce(kafka, topics.charges, charges)
    produce(kafka, topics.outcomes, verdicts)
    produce(kafka, topics.charges, charges_everywhere("after", START + 4 * DAY_S))
    with WorkerProcess(tmp_path, env | {"CHARGEWATCH_MAX_BATCH": "50"}) as worker:
        wait_until(lambda: missing(int(worker.metric("chargewatch_examples_total")), 1))
        worker.kill()
    done = labels_counted(kafka, topics).total()
    assert done < len(verdicts), "it was killed too late to have left work"
    with WorkerProcess(tmp_path, env) as worker:
        wait_until(lambda: missing(len(labels_learned(kafka, topics, charges)), len(verdicts)))
        assert worker.stop() == 0
    assert labels_counted(kafka, topics).total() == len(verdicts)
    assert labels_learned(kafka, topics, charges) == {
        verdict["charge"]: [VERDICT] for verdict in verdicts
    }
    assert kafka.read_all(topics.rejected) == []
