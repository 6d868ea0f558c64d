"""Validation of payloads: what no JSON, size, key or time may do, and what is kept."""

import json
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from schemas.rejected import InvalidEvent
from schemas.validation import NESTING_MAX, PAYLOAD_BYTES_MAX, parse_charge
from tests.schemas import reference
from tests.schemas.events import CHARGE, MAX_CREATED, NOW, encoded, values
from tests.schemas.parsing import CURRENCY, PARSERS, Parser, refusal


@PARSERS
@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"[1]", "an array"),
        (b'"x"', "a string"),
        (b"7", "an integer"),
        (b"null", "null"),
        (b"", "unexpected end of data|Input is a zero-length"),
        (b"{", "unexpected end|EOF"),
        (b'{"id":"ch_1",}', "line 1 column"),
        (b"\xef\xbb\xbf{}", "line 1 column"),
        (b'{"id":"\xff"}', "UTF-8"),
        ('{"id":"x"}'.encode("utf-16"), "line 1 column|UTF-8"),
        (b'{"id":NaN}', "line 1 column"),
        (b'{"created":1e999}', "number"),
        (b'{"id":"\\ud800"}', "surrogate"),
        (b"{} {}", "line 1 column"),
    ],
)
def test_what_is_no_json_object(
    parse: Parser, event: Mapping[str, Any], value: bytes, found: str
) -> None:
    assert event
    with pytest.raises(
        InvalidEvent, match=rf"^payload: expected a JSON object, got .*({found})"
    ) as raised:
        parse(value, b"tok_1", MAX_CREATED)
    assert raised.value.reason == "json"


@PARSERS
def test_tombstone(parse: Parser, event: Mapping[str, Any]) -> None:
    assert event
    assert refusal(parse, None) == (
        "json",
        "payload: expected a JSON object, got none (a tombstone)",
    )


@PARSERS
def test_oversized_payload(parse: Parser, event: Mapping[str, Any]) -> None:
    value = encoded(event)
    largest = value[:-1] + b" " * (PAYLOAD_BYTES_MAX - len(value)) + b"}"
    parse(largest, b"tok_1", MAX_CREATED)
    assert refusal(parse, b" " + largest) == (
        "too_large",
        "payload: expected at most 65536 bytes, got 65537",
    )


@PARSERS
@pytest.mark.parametrize("levels", ["[]", "{}"])
def test_nesting(parse: Parser, event: Mapping[str, Any], levels: str) -> None:
    opening, closing = ("[", "]") if levels == "[]" else ('{"a":', "}")

    def nested(depth: int) -> bytes:
        inner = opening * (depth - 1) + "1" + closing * (depth - 1)
        return encoded(event)[:-1] + f', "deep": {inner}}}'.encode()

    _, aside = parse(nested(NESTING_MAX), b"tok_1", MAX_CREATED)
    assert orjson.loads(orjson.dumps(aside.unknown)) == {
        "deep": json.loads(nested(NESTING_MAX))["deep"]
    }
    for depth in (NESTING_MAX + 1, 1_000, 5_000):
        reason, message = refusal(parse, nested(depth))
        assert reason == "nesting"
        assert message == "payload: expected at most 250 nested levels"


@PARSERS
def test_brackets_in_strings_are_no_nesting(parse: Parser, event: Mapping[str, Any]) -> None:
    text = '[{"\\' * 1_000
    _, aside = parse(encoded({**event, "note": text}), b"tok_1", MAX_CREATED)
    assert orjson.loads(orjson.dumps(aside.unknown)) == {"note": text}


@PARSERS
@pytest.mark.parametrize(
    ("key", "found"),
    [
        (None, "none"),
        (b"", "another value"),
        (b"m_1", "another value"),
        (b'"tok_1"', "another value"),
    ],
)
def test_wrong_key(parse: Parser, event: Mapping[str, Any], key: bytes | None, found: str) -> None:
    assert refusal(parse, encoded(event), key) == (
        "key",
        f"key: expected the event's card, got {found}",
    )


@PARSERS
def test_key_is_the_card_in_utf_8(parse: Parser, event: Mapping[str, Any]) -> None:
    parsed, _ = parse(encoded({**event, "card": "tök"}), "tök".encode(), MAX_CREATED)
    assert parsed.card == "tök"


@PARSERS
def test_far_future(parse: Parser, event: Mapping[str, Any]) -> None:
    reason, message = refusal(parse, encoded({**event, "created": MAX_CREATED + 0.5}))
    assert reason == "future"
    assert message == (
        "created: expected a time up to 1767226200.0 (now and an allowance), got 1767226200.5"
    )
    # Milliseconds are the usual mistake.
    assert refusal(parse, encoded({**event, "created": NOW * 1000}))[0] == "future"


@PARSERS
@pytest.mark.parametrize(
    "identifier",
    ["24242424-4242-4242-4242-424242424242", "4242424242424243", "42424242424242424242"],
)
def test_tokens_of_digits(parse: Parser, event: Mapping[str, Any], identifier: str) -> None:
    value = encoded({**event, "id": identifier, "card": identifier, "note": identifier})
    parsed, _ = parse(value, identifier.encode(), MAX_CREATED)
    assert parsed.card == identifier


@PARSERS
@pytest.mark.parametrize(
    "written",
    [
        "123456789012345678901234567890",
        "0.1000000000000000055511151231257827",
        "1e-400",
        "9007199254740993e1",
        "-0",
        "1.50",
        '"\\u00e9\\/"',
        '{"a":1,"a":2}',
        '[ 1,\t{"b" : null} ]',
        "true",
    ],
)
def test_unknown_field_is_carried_byte_for_byte(
    parse: Parser, event: Mapping[str, Any], written: str
) -> None:
    value = encoded(event)[:-1] + f', "note" : {written} }}'.encode()
    _, aside = parse(value, b"tok_1", MAX_CREATED)
    assert orjson.dumps(aside.unknown) == f'{{"note":{written}}}'.encode()


@PARSERS
@given(unknown=st.dictionaries(st.text(max_size=12).map("_{}".format), values, max_size=4))
@example(unknown={"_": 10**300, "_b": -(10**30)})
def test_any_unknown_fields(
    parse: Parser, event: Mapping[str, Any], unknown: dict[str, Any]
) -> None:
    assume(not reference.holds_card_number(json.dumps(unknown)))  # a number may be one
    parsed, aside = parse(encoded({**unknown, **event}), b"tok_1", MAX_CREATED)
    assert parsed.id == event["id"]
    assert json.loads(orjson.dumps(aside.unknown)) == unknown


def test_last_of_a_repeated_field_counts() -> None:
    value = b'{"amount": 1, "n": 1, ' + encoded(CHARGE)[1:-1] + b', "n": 2}'
    charge, aside = parse_charge(value, b"tok_1", MAX_CREATED)
    assert charge.amount == CHARGE["amount"]
    assert orjson.dumps(aside.unknown) == b'{"n":2}'


def test_message_quotes_no_more_than_it_needs() -> None:
    reason, message = refusal(parse_charge, encoded({**CHARGE, "currency": "x" * 10_000}))
    assert reason == "range"
    assert message == f'currency: expected {CURRENCY}, got "{"x" * 39}... (10000 characters)'
