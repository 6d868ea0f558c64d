"""What a message says of a time, an amount or an envelope that is none of ours."""

from __future__ import annotations

import base64
import gzip
import random
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest

from schemas.envelopes import envelope_in
from schemas.hints import time_hint
from schemas.validation import parse_charge, parse_dispute, parse_outcome
from tests.schemas.events import CHARGE, DISPUTE, OUTCOME
from tests.schemas.parsing import PARSERS, Parser, refusal

NOW_S = 1_790_000_000
SEEDS = range(200)
EVENTS = ((parse_charge, CHARGE), (parse_dispute, DISPUTE), (parse_outcome, OUTCOME))


def encoded(event: Any) -> bytes:
    return orjson.dumps(dict(event) if isinstance(event, type(CHARGE)) else event)


@PARSERS
@pytest.mark.parametrize(
    ("factor", "unit", "divisor"),
    [
        (1e3, "milliseconds", "1,000"),
        (1e6, "microseconds", "1,000,000"),
        (1e9, "nanoseconds", "1,000,000,000"),
    ],
)
@pytest.mark.parametrize("seed", range(20))
def test_other_units_are_named(
    parse: Parser, event: dict[str, Any], factor: float, unit: str, divisor: str, seed: int
) -> None:
    rng = random.Random(seed)
    created = rng.uniform(1.0e9, 1.99e9) * factor
    for written in (created, int(created)):
        _, message = refusal(parse, encoded({**event, "created": written}))
        assert message.startswith("created: "), (seed, message)
        assert f"looks like {unit}: divide by {divisor}" in message, (seed, message)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_time_of_this_century_in_seconds_is_doubted(seed: int) -> None:
    assert time_hint(random.Random(seed).uniform(0, 4_102_444_800)) == "", f"seed {seed}"


@PARSERS
@pytest.mark.parametrize("seed", SEEDS)
def test_a_date_and_time_in_text_is_named_with_its_seconds(
    parse: Parser, event: dict[str, Any], seed: int
) -> None:
    rng = random.Random(seed)
    zone = rng.choice([None, UTC, timezone(timedelta(hours=rng.randint(-12, 12)))])
    time = datetime.fromtimestamp(rng.randrange(NOW_S), zone or UTC)
    text = (time if zone else time.replace(tzinfo=None)).isoformat(sep=rng.choice("T "))
    text = text.replace("+00:00", rng.choice(["Z", "+00:00"]))
    reason, message = refusal(parse, encoded({**event, "created": text}))
    assert reason == "type", seed
    assert "looks like a date and time in text" in message, (seed, text)
    seconds = str(int(time.timestamp()))
    assert message.endswith(f", {seconds}" if zone else f"({seconds} if it is UTC)"), (seed, text)


@PARSERS
@pytest.mark.parametrize(
    ("created", "hint"),
    [
        ("2026-09-21", "happened in Unix seconds"),
        ("1790000000123", "looks like milliseconds: divide by 1,000"),
        ("1790000000.5", 'got "1790000000.5"'),
        ("2026-99-99T00:00", "looks like a date and time in text: write Unix seconds"),
        ("Mon, 21 Sep 2026 14:13:20 GMT", "looks like a date and time in text: write Unix seconds"),
        ("21/09/2026 14:13", "looks like a date and time in text: write Unix seconds"),
        ("soon", 'got "soon"'),
        ("", 'got ""'),
        (None, "got none"),
        (True, "got true"),
        (-1, "got -1"),
        ([NOW_S * 1000], "got an array"),
    ],
)
def test_other_values_of_created(
    parse: Parser, event: dict[str, Any], created: object, hint: str
) -> None:
    _, message = refusal(parse, encoded({**event, "created": created}))
    assert message.startswith("created: expected a number ")
    assert message.endswith(hint)


@pytest.mark.parametrize(
    ("amount", "hint"),
    [
        (19.99, "major units"),
        ("19.99", "major units"),
        ("20.00", "major units"),
        ("19,99", "major units"),
        ("1999", None),
        (-5, None),
        (-5.0, None),
        (1e300, None),
        ("much", None),
        (True, None),
    ],
)
def test_amounts_are_never_guessed(amount: object, hint: str | None) -> None:
    _, message = refusal(parse_charge, encoded({**CHARGE, "amount": amount}))
    assert message.startswith("amount: expected an integer ")
    assert hint in message if hint else ";" not in message


def change_of(event: object, op: str = "c") -> dict[str, Any]:
    """Return a change event as Debezium writes it."""
    source = {"connector": "postgresql", "db": "pay", "table": "charges"}
    return {"before": None, "after": event, "op": op, "ts_ms": 1, "source": source}


SCHEMA = {"type": "struct", "optional": False, "fields": []}
CLOUD = {"specversion": "1.0", "id": "A1", "source": "/pay", "type": "charge.created"}


def unwrapped(event: dict[str, Any]) -> list[Any]:
    """Return envelopes that an event is taken out of."""
    return [
        *(change_of(event, op) for op in "cru"),
        {"schema": SCHEMA, "payload": change_of(event)},
        {"after": event, "source": {}},
        {"schema": SCHEMA, "payload": event},
        CLOUD | {"datacontenttype": "application/json", "data": event},
        CLOUD | {"data_base64": base64.b64encode(encoded(event)).decode()},
        CLOUD | {"data": change_of(event)},
    ]


def enveloped(event: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return envelopes that hold no event, or are not known, and what their message must hold."""
    deleted = change_of(None, "d")
    return [
        ("Debezium change event that deletes", deleted),
        ("Debezium change event that deletes", {"schema": SCHEMA, "payload": deleted}),
        ("CloudEvent whose `data` is no JSON object", CLOUD | {"data": encoded(event).decode()}),
        ("CloudEvent whose `data` is no JSON object", CLOUD | {"data_base64": "?"}),
        ("CloudEvent whose `data` is no JSON object", CLOUD),
        ("envelope; its event is under `data.object`",
         {"id": "evt_1", "object": "event", "created": 1, "data": {"object": event}}),
        ("envelope; its event is under `items`", {"object": "list", "items": [event, event]}),
    ]  # fmt: skip


@PARSERS
def test_the_event_in_an_envelope_is_the_event(parse: Parser, event: dict[str, Any]) -> None:
    """So are its unknown fields, and what is masked; nothing of the envelope goes along."""
    inner = {**event, "order": 7, "paid": "with 4242 4242 4242 4242"}
    expected, beside = parse(encoded(inner), b"tok_1", NOW_S)
    for envelope in unwrapped(inner):
        found, aside = parse(encoded(envelope), b"tok_1", NOW_S)
        assert found == expected
        assert orjson.dumps(aside.unknown) == orjson.dumps(beside.unknown)
        assert aside.masked == ("paid",)


@PARSERS
def test_what_is_wrong_with_an_event_in_an_envelope_is_told(
    parse: Parser, event: dict[str, Any]
) -> None:
    for envelope in unwrapped({**event, "created": "2026-09-21T14:13:20Z"}):
        reason, message = refusal(parse, encoded(envelope))
        assert reason == "type"
        assert message.startswith("created: expected a number")
        assert message.endswith("write Unix seconds, 1790000000")


@PARSERS
def test_envelopes_are_named(parse: Parser, event: dict[str, Any]) -> None:
    for said, envelope in enveloped(dict(event)):
        reason, message = refusal(parse, encoded(envelope), key=None)
        assert reason == "missing"
        assert message.startswith("payload: looks like ")
        assert said in message


@PARSERS
def test_what_is_around_the_bytes_is_named(parse: Parser, event: dict[str, Any]) -> None:
    plain = encoded(dict(event))
    text = plain.decode()
    for said, value in [
        ("schema registry (schema 42): set schema_registry_url", b"\0\0\0\0\x2a" + plain),
        ("schema registry (schema 7), as its serializers of Avro", b"\0\0\0\0\x07\x0etok_1"),
        ("byte order mark", b"\xef\xbb\xbf" + plain),
        ("UTF-16", text.encode("utf-16")),
        ("UTF-16", text.encode("utf-16-le")),
        ("UTF-16", text.encode("utf-16-be")),
        ("gzip", gzip.compress(plain)),
        ("encoded twice", orjson.dumps(text)),
        ("an array of events", b"[" + plain + b"]"),
    ]:
        reason, message = refusal(parse, value, key=None)
        assert reason == "json"
        assert message.startswith("payload: expected a JSON object, got ")
        assert said in message, said


def test_an_event_with_the_fields_of_an_envelope_is_none() -> None:
    marks = {"before": 1, "after": {}, "op": "c", "schema": {}, "payload": {}, "specversion": "1"}
    for parse, event in EVENTS:
        whole = encoded({**event, **marks, "data": dict(event)})
        assert parse(whole, b"tok_1", NOW_S)[0].id == event["id"]
        broken = encoded({**event, **marks, "data": dict(event), "id": 5})
        assert refusal(parse, broken)[1].startswith("id: ")


@pytest.mark.parametrize("content", [None, 5, "text", [], [1], {}, {"data": []}, {"a": {"b": {}}}])
def test_what_is_no_envelope(content: object) -> None:
    assert envelope_in(b"nonsense", content) == ""
    assert envelope_in(b"\0", None) == ""
    assert envelope_in(b"", None) == ""


def test_a_dispute_with_its_whole_charge_is_no_envelope() -> None:
    whole = {**DISPUTE, "charge": dict(CHARGE)}
    del whole["card"]
    assert refusal(parse_dispute, encoded(whole))[1].startswith("charge: expected a string ")


def test_no_card_number_is_in_a_hint() -> None:
    inner = {"4242424242424242": {"id": "c", "created": 1, "card": "k", "merchant": "m"}}
    for value in (inner, {"a": inner}):
        assert "4242424242424242" not in refusal(parse_charge, encoded(value))[1]


@pytest.mark.parametrize("field", ["card", "merchant"])
def test_a_dispute_without_its_card_says_what_to_add(field: str) -> None:
    for parse, event, wanted in ((parse_dispute, DISPUTE, True), (parse_charge, CHARGE, False)):
        rest = {name: content for name, content in event.items() if name != field}
        hint = "; add it as it is in the charge that is disputed"
        assert (hint in refusal(parse, encoded(rest))[1]) == wanted
