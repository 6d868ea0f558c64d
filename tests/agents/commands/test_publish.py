"""`chargewatch publish` as a user meets it, up to what would be sent."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from agents.commands import chargewatch, publish
from streams.events.files import write_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from streams.kafka.publisher import Event

START = 1_790_000_000.0
SENT = ("--bootstrap-servers", "nowhere:1")


def charge(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"ch_{number}",
        "created": START + number,
        "amount": 1999,
        "currency": "usd",
        "card": f"card_{number}",
        "merchant": "acct_1",
        **fields,
    }


def dispute(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"dp_{number}",
        "charge": f"ch_{number}",
        "card": f"card_{number}",
        "merchant": "acct_1",
        "created": START + 86_400 + number,
        "reason": "fraudulent",
        **fields,
    }


def outcome(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"oc_{number}",
        "charge": f"ch_{number}",
        "card": f"card_{number}",
        "merchant": "acct_1",
        "created": START + 60 + number,
        "outcome": "authorized",
        **fields,
    }


OTHER = {"a dispute": "an outcome", "an outcome": "a dispute"}
WITH_MONEY = {"amount": 1999, "currency": "usd", "status": "needs_response"}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Event]]:
    """Take down what is published, in place of a Kafka."""
    taken: dict[str, list[Event]] = {}

    def take(_: object, batches: Iterable[Mapping[str, list[Event]]]) -> int:
        for batch in batches:
            for topic, events in batch.items():
                taken.setdefault(topic, []).extend(events)
        return sum(map(len, taken.values()))

    monkeypatch.setattr(publish, "connect", lambda *_: (None, {}))
    monkeypatch.setattr(publish, "publish_batches", take)
    return taken


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(chargewatch, ["publish", *map(str, arguments)])


def refused(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 1, result.output
    assert result.stderr.count("Error: ") == 1
    message = result.stderr[result.stderr.index("Error: ") :]
    assert message.count("\n") == 1
    return message


def file_of(tmp_path: Path, events: Iterable[dict[str, Any] | bytes]) -> Path:
    path = tmp_path / "events.jsonl"
    write_events(path, [e if isinstance(e, bytes) else orjson.dumps(e) for e in events])
    return path


@pytest.mark.parametrize(
    ("event", "topic"),
    [
        (dispute(1), "disputes"),
        (dispute(1, **WITH_MONEY), "disputes"),
        (dispute(1, **WITH_MONEY, object="dispute"), "disputes"),
        (dispute(1, fraud_type="made_with_stolen_card", object="radar.early_fraud_warning"),
         "disputes"),
        (outcome(1), "outcomes"),
        (outcome(1, **WITH_MONEY), "outcomes"),
        (outcome(1, outcome="Refunded", reason="requested_by_customer", **WITH_MONEY), "outcomes"),
        (outcome(1, outcome="answered", action="block"), "outcomes"),
        (dispute(1, outcome="lost"), "disputes"),
        (dispute(1, outcome=None), "disputes"),
        (charge(1), "charges"),
        (charge(1, outcome={"type": "authorized"}), "charges"),
        (charge(1, outcome="authorized"), "charges"),
        (charge(1, object="charge", charge="ch_0", outcome="authorized"), "charges"),
        (charge(1, charge="per hour", outcome={"type": "authorized"}), "charges"),
        (charge(1, object="charge", charge="ch_0", reason="retry"), "charges"),
        (charge(1, charge="per hour"), "charges"),
        (charge(1, reason="subscription"), "charges"),
        (charge(1, charge=None, reason="", fraud_type=None), "charges"),
        (charge(1, dispute="dp_1"), "charges"),
    ],
)  # fmt: skip
def test_the_kind_is_told_by_what_an_event_is(
    tmp_path: Path, sent: dict[str, list[Event]], event: dict[str, Any], topic: str
) -> None:
    path = file_of(tmp_path, [b"", event])
    result = run(path)
    assert result.exit_code == 0, result.output
    assert f"1 events to {topic}\n" in result.output
    assert sent == {topic: [(b"card_1", orjson.dumps(event))]}


@pytest.mark.parametrize("option", ["--as", "--topic"])
@pytest.mark.parametrize(
    ("kind", "event"),
    [("charges", charge(2)), ("disputes", dispute(2)), ("outcomes", outcome(2, reason="fraud"))],
)
def test_the_option_wins(
    tmp_path: Path, sent: dict[str, list[Event]], option: str, kind: str, event: dict[str, Any]
) -> None:
    other = dispute(1, **WITH_MONEY) if kind != "disputes" else outcome(1)
    events = [other, event]
    path = file_of(tmp_path, events)
    assert run(path, option, kind).exit_code == 0
    assert sent == {kind: [(b"card_1", orjson.dumps(events[0])), (b"card_2", orjson.dumps(event))]}


def test_outcomes_that_are_none_are_told_of(tmp_path: Path, sent: dict[str, list[Event]]) -> None:
    """What a gateway calls them is no outcome: the first is named with those there are."""
    path = file_of(tmp_path, [outcome(number, outcome="approved") for number in range(3)])
    message = refused(path)
    assert "3 of 3 events cannot be used: range 3; event 1: outcome: expected one of " in message
    assert "authorized, blocked, canceled, " in message
    assert 'got "approved"' in message
    assert sent == {}
    path = file_of(tmp_path, [outcome(1), outcome(2, outcome="answered")])
    result = run(path)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(
        "2 events to outcomes\n1 of them are not valid and come to charges.rejected: missing 1; "
        "event 2: action: expected one of allow, block, challenge, review, got none; "
    )


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("fields", [{}, WITH_MONEY])
@pytest.mark.parametrize(("make", "name"), [(dispute, "a dispute"), (outcome, "an outcome")])
def test_a_file_of_two_kinds_is_told_of(
    tmp_path: Path,
    sent: dict[str, list[Event]],
    seed: int,
    fields: dict[str, Any],
    make: Callable[..., dict[str, Any]],
    name: str,
) -> None:
    """However late the first of the other kind comes."""
    rng = random.Random(seed)
    events = [charge(number) for number in range(1500)]
    places = sorted(rng.sample(range(1, 1500), rng.randint(1, 3)))
    for place in places:
        events[place] = make(place, **fields)
    message = refused(file_of(tmp_path, events))
    wanted = (
        f"holds charges, but event {places[0] + 1:,} is {name}, and {len(places)} of 1,500 are no "
        "charges"
    )
    assert wanted in message, f"seed {seed}"
    assert "--as charges" in message
    message = refused(file_of(tmp_path, [make(number) for number in range(3)] + events[:1]))
    assert f"holds {name.split()[1]}s, but event 4 is a charge" in message
    both = [outcome(1), dispute(2)][:: 1 if make is outcome else -1]
    message = refused(file_of(tmp_path, [make(number) for number in range(3)] + both))
    assert f"holds {name.split()[1]}s, but event 5 is {OTHER[name]}, and 1 of 5" in message
    assert sent == {}


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([charge(n, created=int(START + n) * 1000) for n in range(3)],
         "3 of 3 events cannot be used: future 3; event 1: created: expected a time up to"),
        ([charge(n, created=int(START + n) * 1000) for n in range(3)],
         "looks like milliseconds: divide by 1,000"),
        ([charge(n, created=(START + n) * 1e6) for n in range(3)], "looks like microseconds"),
        ([charge(n, created=(START + n) * 1e9) for n in range(3)], "looks like nanoseconds"),
        ([charge(n, created="2026-09-21T14:13:20Z") for n in range(3)],
         "looks like a date and time in text: write Unix seconds, 1790000000"),
        ([charge(n, amount=19.99) for n in range(3)], "it looks like major units"),
        ([b"no JSON", b"[]", charge(1)],
         "2 of 3 events cannot be used: json 2; event 1: payload: expected a JSON object"),
        ([charge(1), charge(2, amount=-1), charge(3, amount=-1), b"no JSON"],
         "3 of 4 events cannot be used: range 2, json 1; event 2: amount: expected an integer"),
        ([{"before": charge(1), "after": None, "op": "d"}], "looks like a Debezium change event"),
        ([{"specversion": "1.0", "type": "charge", "source": "/", "data": "text"}],
         "looks like a CloudEvent whose `data` is no JSON object"),
        ([{"message": charge(1)}], "looks like an envelope; its event is under `message`"),
        ([b"\0\0\0\0\7" + orjson.dumps(charge(1))], "framing of a schema registry (schema 7)"),
    ],
)  # fmt: skip
def test_a_file_that_is_of_no_use_is_not_sent(
    tmp_path: Path, sent: dict[str, list[Event]], events: list[dict[str, Any] | bytes], said: str
) -> None:
    path = file_of(tmp_path, events)
    assert said in refused(path)
    assert sent == {}
    result = run(path, "--allow-rejected", "--as", "charges")
    assert result.exit_code == 0, result.output
    written = [e if isinstance(e, bytes) else orjson.dumps(e) for e in events]
    assert [value for _, value in sent["charges"]] == written
    assert "of them are not valid and come to charges.rejected: " in result.output


def test_half_of_a_file_is_enough(tmp_path: Path, sent: dict[str, list[Event]]) -> None:
    result = run(file_of(tmp_path, [charge(1), b"no JSON"]), "--topic-prefix", "eu.")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(
        "2 events to eu.charges\n1 of them are not valid and come to eu.charges.rejected: json 1; "
        "event 2: payload: expected a JSON object, got "
    )
    assert [value for _, value in sent["eu.charges"]] == [orjson.dumps(charge(1)), b"no JSON"]


def test_columns_of_other_types(tmp_path: Path, sent: dict[str, list[Event]]) -> None:
    columns: dict[str, Any] = {
        name: [charge(number)[name] for number in range(4)] for name in charge(0)
    }
    columns["created"] = pa.array(
        [datetime.fromtimestamp(START + number, UTC) for number in range(4)]
    )
    columns["fee"] = pa.array([Decimal("0.30")] * 4)
    path = tmp_path / "f.parquet"
    pq.write_table(pa.table(columns), path)
    assert run(path).exit_code == 0
    assert [orjson.loads(value) for _, value in sent["charges"]] == [
        charge(number, fee=0.3) for number in range(4)
    ]
    columns["amount"] = pa.array([Decimal("19.99"), Decimal("20.00")] * 2)
    pq.write_table(pa.table(columns), path)
    message = refused(path)
    assert "4 of 4 events cannot be used: type 4; event 1: amount: expected an integer" in message
    assert "looks like major units" in message


def test_other_names_are_told_of() -> None:
    message = refused("charges.xlsx")
    for suffix in (".jsonl", ".ndjson.gz", ".json.zst", ".parquet"):
        assert suffix in message


def test_events_in_envelopes_are_sent_as_they_are_under_their_card(
    tmp_path: Path, sent: dict[str, list[Event]]
) -> None:
    events: list[dict[str, Any]] = [charge(number) for number in range(3)]
    enveloped: list[dict[str, Any] | bytes] = [
        {"before": None, "after": events[0], "op": "c", "source": {}, "ts_ms": 1},
        {"specversion": "1.0", "type": "charge", "source": "/", "id": "e1", "data": events[1]},
        {"schema": {}, "payload": events[2]},
    ]
    result = run(file_of(tmp_path, enveloped))
    assert result.exit_code == 0, result.output
    cards = [str(event["card"]).encode() for event in events]
    assert sent["charges"] == [
        (card, orjson.dumps(event)) for card, event in zip(cards, enveloped, strict=True)
    ]
