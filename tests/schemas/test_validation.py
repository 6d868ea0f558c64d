"""Validation: every rule of the contract, and what is said when it is broken."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.charge import Charge
from schemas.dispute import Dispute
from schemas.rejected import InvalidEvent
from schemas.validation import NESTING_MAX, PAYLOAD_BYTES_MAX, parse_charge, parse_dispute
from tests.schemas import reference
from tests.schemas.events import CHARGE, DISPUTE, MAX_CREATED, NOW, OPTIONAL, encoded, values

Parser = Callable[[bytes | None, bytes | None, float], tuple[Charge | Dispute, Mapping[str, Any]]]

VISA = "4242424242424242"
PARSERS = pytest.mark.parametrize(
    ("parse", "event"), [(parse_charge, CHARGE), (parse_dispute, DISPUTE)]
)
LONG = "x" * 129
COUNTRY = "a country's two letters (ISO 3166-1 alpha-2)"
CURRENCY = "a currency's three lower-case letters (ISO 4217)"
STRING = "a string of 1 to 128 characters"
TEXT = "a string of 1 to 1024 characters"
CHECK = "one of fail, pass, unchecked"


def parse_good_charge(event: Mapping[str, Any]) -> tuple[Charge, Mapping[str, Any]]:
    return parse_charge(encoded(event), event["card"].encode(), MAX_CREATED)


def refusal(parse: Parser, value: bytes | None, key: bytes | None = b"tok_1") -> tuple[str, str]:
    with pytest.raises(InvalidEvent) as raised:
        parse(value, key, MAX_CREATED)
    return raised.value.reason, str(raised.value)


def test_charge_with_required_fields_alone() -> None:
    charge, unknown = parse_good_charge(CHARGE)
    assert {name: getattr(charge, name) for name in CHARGE} == CHARGE
    assert all(getattr(charge, name) is None for name in OPTIONAL)
    assert unknown == {}


def test_charge_with_every_field() -> None:
    event = {**OPTIONAL, **CHARGE}
    charge, unknown = parse_good_charge(event)
    assert {name: getattr(charge, name) for name in charge.__struct_fields__} == event
    assert unknown == {}


def test_dispute_with_every_field() -> None:
    dispute, unknown = parse_dispute(encoded(DISPUTE), b"tok_1", MAX_CREATED)
    assert {name: getattr(dispute, name) for name in dispute.__struct_fields__} == DISPUTE
    assert unknown == {}


@pytest.mark.parametrize(
    ("reason", "is_fraud"),
    [("fraudulent", True), ("product_not_received", False), ("Fraudulent", False), ("", False)],
)
def test_only_fraudulent_is_a_fraud_label(reason: str, is_fraud: bool) -> None:
    value = encoded({**DISPUTE, "reason": reason})
    dispute, _ = parse_dispute(value, b"tok_1", MAX_CREATED)
    assert (dispute.reason, dispute.is_fraud) == (reason, is_fraud)


@pytest.mark.parametrize(
    ("field", "content"),
    [
        ("id", "x"),
        ("id", "é" * 128),
        ("id", "\N{BANK}" * 128),
        ("id", " "),
        ("created", 0),
        ("created", 1_767_225_600),
        ("created", MAX_CREATED),
        ("created", 1e9 + 0.123456),
        ("amount", 1),
        ("amount", 2**53 - 1),
        ("currency", "jpy"),
        ("currency", "xyz"),
        ("merchant", "M" * 128),
        ("mcc", 0),
        ("mcc", -1),
        ("mcc", 123_456),
        ("merchant_country", "T1"),
        ("card_country", "de"),
        *(("funding", value) for value in ("credit", "debit", "prepaid")),
        *(("channel", value) for value in ("online", "in_person", "recurring")),
        *(("cvc_check", value) for value in ("pass", "fail", "unchecked")),
        *(("postal_check", value) for value in ("pass", "fail", "unchecked")),
        ("three_d_secure", True),
        ("payment_method", "card"),
        ("device", "x" * 1024),
        ("email", "a@example.org"),
        ("ip", "2001:db8::1"),
    ],
)
def test_valid_contents(field: str, content: object) -> None:
    charge, _ = parse_good_charge({**CHARGE, field: content})
    assert getattr(charge, field) == content


@pytest.mark.parametrize(("field", "content"), [("amount", 5.0), ("amount", 2e3), ("mcc", 5541.0)])
def test_whole_number_is_an_integer_however_it_is_written(field: str, content: float) -> None:
    charge, _ = parse_good_charge({**CHARGE, field: content})
    assert getattr(charge, field) == content
    assert type(getattr(charge, field)) is int


@pytest.mark.parametrize("field", OPTIONAL)
def test_optional_field_may_be_null(field: str) -> None:
    charge, unknown = parse_good_charge({**CHARGE, **OPTIONAL, field: None})
    assert getattr(charge, field) is None
    assert unknown == {}


@pytest.mark.parametrize(
    "field",
    [
        "merchant_country", "card_country", "ip_country", "payment_method", "device", "ip", "email",
    ],
)  # fmt: skip
def test_empty_optional_text_is_missing(field: str) -> None:
    charge, _ = parse_good_charge({**CHARGE, field: ""})
    assert getattr(charge, field) is None


@pytest.mark.parametrize(
    ("field", "content", "reason", "message"),
    [
        ("amount", -5, "range", "amount: expected an integer above 0, got -5"),
        ("amount", 0, "range", "amount: expected an integer above 0, got 0"),
        ("amount", "1999", "type", 'amount: expected an integer above 0, got "1999"'),
        ("amount", 19.99, "type", "amount: expected an integer above 0, got 19.99"),
        ("amount", -5.0, "range", "amount: expected an integer above 0, got -5"),
        ("amount", True, "type", "amount: expected an integer above 0, got true"),
        ("amount", [5], "type", "amount: expected an integer above 0, got an array"),
        ("amount", None, "missing", "amount: expected an integer above 0, got none"),
        ("amount", 2**53, "range",
         "amount: expected an integer of at most 9007199254740991, got 9007199254740992"),
        ("amount", 2**70, "range",
         "amount: expected an integer of at most 9007199254740991, got 1180591620717411303424"),
        ("created", -1, "range", "created: expected a number of at least 0, got -1"),
        ("created", "now", "type", 'created: expected a number of at least 0, got "now"'),
        ("created", False, "type", "created: expected a number of at least 0, got false"),
        ("created", None, "missing", "created: expected a number of at least 0, got none"),
        ("id", "", "range", f"id: expected {STRING}, got an empty string"),
        ("id", LONG, "range", f"id: expected {STRING}, got 129 characters"),
        ("id", 7, "type", f"id: expected {STRING}, got an integer"),
        ("id", None, "missing", f"id: expected {STRING}, got none"),
        ("card", {}, "type", f"card: expected {STRING}, got an object"),
        ("card", LONG, "range", f"card: expected {STRING}, got 129 characters"),
        ("merchant", LONG, "range", f"merchant: expected {STRING}, got 129 characters"),
        ("merchant", 1.5, "type", f"merchant: expected {STRING}, got a number"),
        ("currency", "USD", "range", f'currency: expected {CURRENCY}, got "USD"'),
        ("currency", "us", "range", f'currency: expected {CURRENCY}, got "us"'),
        ("currency", "uß1", "range", f'currency: expected {CURRENCY}, got "uß1"'),
        ("currency", 840, "type", f"currency: expected {CURRENCY}, got 840"),
        ("currency", None, "missing", f"currency: expected {CURRENCY}, got none"),
        ("mcc", "5541", "type", 'mcc: expected an integer, got "5541"'),
        ("mcc", 0.5, "type", "mcc: expected an integer, got 0.5"),
        ("merchant_country", "USA", "range", f'merchant_country: expected {COUNTRY}, got "USA"'),
        ("card_country", 840, "type", f"card_country: expected {COUNTRY}, got 840"),
        ("ip_country", "X", "range", f'ip_country: expected {COUNTRY}, got "X"'),
        ("funding", "loan", "range", 'funding: expected one of credit, debit, prepaid, got "loan"'),
        ("funding", "", "range", 'funding: expected one of credit, debit, prepaid, got ""'),
        ("channel", "Online", "range",
         'channel: expected one of in_person, online, recurring, got "Online"'),
        ("channel", 1, "type", "channel: expected one of in_person, online, recurring, got 1"),
        ("cvc_check", "ok", "range", f'cvc_check: expected {CHECK}, got "ok"'),
        ("postal_check", True, "type", f"postal_check: expected {CHECK}, got true"),
        ("three_d_secure", "true", "type", 'three_d_secure: expected true or false, got "true"'),
        ("three_d_secure", 1, "type", "three_d_secure: expected true or false, got 1"),
        ("payment_method", [], "type", f"payment_method: expected {TEXT}, got an array"),
        ("device", "x" * 1025, "range", f"device: expected {TEXT}, got 1025 characters"),
        ("ip", 1, "type", f"ip: expected {TEXT}, got an integer"),
        ("email", False, "type", f"email: expected {TEXT}, got a boolean"),
    ],
)  # fmt: skip
def test_wrong_field_of_a_charge_is_named(
    field: str, content: object, reason: str, message: str
) -> None:
    assert refusal(parse_charge, encoded({**CHARGE, field: content})) == (reason, message)


@pytest.mark.parametrize(
    ("field", "content", "reason", "message"),
    [
        ("id", "", "range", f"id: expected {TEXT}, got an empty string"),
        ("charge", LONG, "range", f"charge: expected {STRING}, got 129 characters"),
        ("card", None, "missing", f"card: expected {STRING}, got none"),
        ("merchant", 1, "type", f"merchant: expected {STRING}, got an integer"),
        ("created", "1", "type", 'created: expected a number of at least 0, got "1"'),
        ("reason", True, "type",
         "reason: expected a string of 0 to 1024 characters, got a boolean"),
        ("reason", None, "missing", "reason: expected a string of 0 to 1024 characters, got none"),
    ],
)  # fmt: skip
def test_wrong_field_of_a_dispute_is_named(
    field: str, content: object, reason: str, message: str
) -> None:
    assert refusal(parse_dispute, encoded({**DISPUTE, field: content})) == (reason, message)


@PARSERS
def test_missing_field_is_named(parse: Parser, event: Mapping[str, Any]) -> None:
    for field in event:
        rest = {name: content for name, content in event.items() if name != field}
        reason, message = refusal(parse, encoded(rest))
        assert reason == "missing"
        assert message.startswith(f"{field}: expected ")
        assert message.endswith(", got none")


def test_first_wrong_field_is_named() -> None:
    event = {**CHARGE, "merchant": "", "amount": 0, "mcc": "x"}
    assert refusal(parse_charge, encoded(event))[1].startswith("amount: ")


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

    _, unknown = parse(nested(NESTING_MAX), b"tok_1", MAX_CREATED)
    assert orjson.loads(orjson.dumps(unknown)) == {"deep": json.loads(nested(NESTING_MAX))["deep"]}
    for depth in (NESTING_MAX + 1, 1_000, 5_000):
        reason, message = refusal(parse, nested(depth))
        assert reason == "nesting"
        assert message == "payload: expected at most 250 nested levels"


@PARSERS
def test_brackets_in_strings_are_no_nesting(parse: Parser, event: Mapping[str, Any]) -> None:
    text = '[{"\\' * 1_000
    _, unknown = parse(encoded({**event, "note": text}), b"tok_1", MAX_CREATED)
    assert orjson.loads(orjson.dumps(unknown)) == {"note": text}


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
@pytest.mark.parametrize("number", [VISA, "4242 4242 4242 4242", "378282246310005"])
@pytest.mark.parametrize("text", ["%s", "card=%s;x"])
def test_card_number_in_any_field(
    parse: Parser, event: Mapping[str, Any], number: str, text: str
) -> None:
    known = event if parse is parse_dispute else {**event, **OPTIONAL}
    found = text % number
    for field in (*known, "note"):
        assert refusal(parse, encoded({**known, field: found}), None) == (
            "card_number",
            f"{field}: expected a token, got what looks like a card number",
        )


@PARSERS
@pytest.mark.parametrize(
    ("extra", "field"),
    [
        (f'"note": {{"a": [1, "{VISA}"]}}', "note"),
        (f'"note": [[[{{"{VISA}": 1}}]]]', "note"),
        (f'"{VISA}": 1', "*" * 16),
        (rf'"\u0001{VISA}": 1', r"\u0001" + "*" * 16),
        (f'"{"n" * 50} {VISA}": 1', '"{}... (67 characters)'.format("n" * 39)[1:-1]),
        (f'"note": "{VISA}", "note": "x"', "payload"),
        (f'"note": [{{"a": "{VISA}", "a": 1}}]', "payload"),
        (rf'"note": "\u0034{VISA[1:]}"', "note"),
        (r'"note": "4242\u00204242\u002d4242\u002D4242"', "note"),
        (rf'"note": "\u00e9{VISA}\u00e9"', "note"),
        (rf'"note": "\\{VISA}\/"', "note"),
    ],
)
def test_card_number_in_any_place(
    parse: Parser, event: Mapping[str, Any], extra: str, field: str
) -> None:
    value = encoded(event)[:-1] + f", {extra}}}".encode()
    reason, message = refusal(parse, value)
    assert reason == "card_number"
    assert message.startswith(f"{field}: ")
    assert not reference.card_numbers(message)
    assert VISA not in message


def test_card_number_in_several_fields_names_the_first() -> None:
    event = {**CHARGE, "device": VISA, "email": VISA}
    assert refusal(parse_charge, encoded(event))[1].startswith("device: ")


def test_card_number_as_a_number_is_not_shown() -> None:
    reason, message = refusal(parse_charge, encoded({**CHARGE, "currency": int(VISA)}))
    assert reason == "type"
    assert message == f"currency: expected {CURRENCY}, got {'*' * 16}"


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
    _, unknown = parse(value, b"tok_1", MAX_CREATED)
    assert orjson.dumps(unknown) == f'{{"note":{written}}}'.encode()


@PARSERS
@given(unknown=st.dictionaries(st.text(max_size=12).map("_{}".format), values, max_size=4))
@example(unknown={"_": 10**300, "_b": -(10**30)})
def test_any_unknown_fields(
    parse: Parser, event: Mapping[str, Any], unknown: dict[str, Any]
) -> None:
    parsed, carried = parse(encoded({**unknown, **event}), b"tok_1", MAX_CREATED)
    assert parsed.id == event["id"]
    assert json.loads(orjson.dumps(carried)) == unknown


def test_last_of_a_repeated_field_counts() -> None:
    value = b'{"amount": 1, "n": 1, ' + encoded(CHARGE)[1:-1] + b', "n": 2}'
    charge, unknown = parse_charge(value, b"tok_1", MAX_CREATED)
    assert charge.amount == CHARGE["amount"]
    assert orjson.dumps(unknown) == b'{"n":2}'


def test_message_quotes_no_more_than_it_needs() -> None:
    reason, message = refusal(parse_charge, encoded({**CHARGE, "currency": "x" * 10_000}))
    assert reason == "range"
    assert message == f'currency: expected {CURRENCY}, got "{"x" * 39}... (10000 characters)'
