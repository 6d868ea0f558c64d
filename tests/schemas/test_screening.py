"""Card numbers in events, field by field: what rejects, what is masked, replaced, or left."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from schemas.input_rules import InputRules
from schemas.validation import parse_charge, parse_dispute
from tests.schemas import reference
from tests.schemas.events import CHARGE, DISPUTE, MAX_CREATED, OPTIONAL, encoded
from tests.schemas.parsing import CURRENCY, PARSERS, Parser, refusal

VISA = "4242424242424242"
STARS = "*" * 16
STRICT = InputRules(card_numbers="strict")
KEY = b"a key of 16 bytes or more"
HASHING = InputRules(card_hash_key=KEY)
IDENTIFIERS = {"id", "charge", "merchant"}

NUMBERS = pytest.mark.parametrize("number", [VISA, "4242 4242-4242 4242", "378282246310005"])
TEXTS = pytest.mark.parametrize("text", ["%s", "card=%s;x"])


def told(field: str) -> tuple[str, str]:
    return "card_number", f"{field}: expected a token, got what looks like a card number"


@PARSERS
@NUMBERS
@TEXTS
def test_in_the_card_it_rejects(
    parse: Parser, event: Mapping[str, Any], number: str, text: str
) -> None:
    value = encoded({**event, "card": text % number})
    for rules in (InputRules(), STRICT):
        assert refusal(parse, value, (text % number).encode(), rules) == told("card")


@PARSERS
@pytest.mark.parametrize("content", [int(VISA), float(VISA), {"pan": [VISA]}])
@pytest.mark.parametrize("rules", [InputRules(), STRICT])
def test_in_the_card_it_rejects_in_other_types(
    parse: Parser, event: Mapping[str, Any], content: object, rules: InputRules
) -> None:
    assert refusal(parse, encoded({**event, "card": content}), None, rules) == told("card")
    reason, _ = refusal(parse, encoded({**event, "card": content}), None, HASHING)
    assert reason == "type"


@PARSERS
@pytest.mark.parametrize(
    "written",
    [
        VISA, "4242 4242 4242 4242", "4242-4242-4242-4242", "4-2-4-2 42424242424 2",
        f" {VISA} ", f"{VISA} 12 27",
    ],
)  # fmt: skip
def test_in_the_card_it_is_replaced_by_its_keyed_hash(
    parse: Parser, event: Mapping[str, Any], written: str
) -> None:
    expected = hmac.new(KEY, VISA.encode(), hashlib.sha256).hexdigest()
    for value in (encoded({**event, "card": written}), _escaped({**event, "card": written})):
        parsed, aside = parse(value, written.encode(), MAX_CREATED, HASHING)
        assert parsed.card == f"hmac_{expected}"
        assert (aside.masked, aside.left) == ((), ())
        # The key is that of the message as it came.
        for key in (None, parsed.card.encode(), VISA.encode() + b" "):
            assert refusal(parse, value, key, HASHING)[0] == "key"


@PARSERS
def test_a_token_is_not_hashed(parse: Parser, event: Mapping[str, Any]) -> None:
    parsed, _ = parse(encoded({**event, "note": VISA}), b"tok_1", MAX_CREATED, HASHING)
    assert parsed.card == "tok_1"


@PARSERS
@NUMBERS
@TEXTS
def test_in_identifiers_it_is_left_and_told(
    parse: Parser, event: Mapping[str, Any], number: str, text: str
) -> None:
    for field in IDENTIFIERS & event.keys():
        value = encoded({**event, field: text % number})
        parsed, aside = parse(value, b"tok_1", MAX_CREATED)
        assert getattr(parsed, field) == text % number
        assert (aside.left, aside.masked) == ((field,), ())
        assert refusal(parse, value, b"tok_1", STRICT) == told(field)


@NUMBERS
@TEXTS
@pytest.mark.parametrize("field", OPTIONAL)
@pytest.mark.parametrize("rules", [InputRules(), STRICT, HASHING])
def test_in_an_optional_field_it_is_masked(
    field: str, number: str, text: str, rules: InputRules
) -> None:
    event = {**CHARGE, **OPTIONAL}
    value = encoded({**event, field: text % number})
    charge, aside = parse_charge(value, b"tok_1", MAX_CREATED, rules)
    # What is masked would be alike for many: it counts as missing.
    assert {name: getattr(charge, name) for name in event} == {**event, field: None}
    assert aside.masked == (field,)
    assert set(aside.ignored) <= {field}


def test_in_a_number_of_an_optional_field_it_is_masked() -> None:
    value = encoded({**CHARGE, "mcc": int(VISA), "device": int(VISA)})
    charge, aside = parse_charge(value, b"tok_1", MAX_CREATED)
    assert (charge.mcc, charge.device) == (None, None)
    assert (aside.masked, aside.ignored) == (("mcc", "device"), ("mcc",))


def test_in_a_reason_it_is_masked() -> None:
    value = encoded({**DISPUTE, "reason": f"fraud with {VISA}"})
    dispute, aside = parse_dispute(value, b"tok_1", MAX_CREATED)
    assert (dispute.reason, aside.masked) == (f"fraud with {STARS}", ("reason",))


def test_in_an_amount_it_rejects() -> None:
    for amount in (int(VISA), float(VISA)):
        assert refusal(parse_charge, encoded({**CHARGE, "amount": amount})) == told("amount")


def test_in_a_currency_it_is_not_shown() -> None:
    for currency in (VISA, int(VISA)):
        reason, message = refusal(parse_charge, encoded({**CHARGE, "currency": currency}))
        assert reason == "range"
        assert message == f'currency: expected {CURRENCY}, got "{STARS}"'


@PARSERS
@pytest.mark.parametrize(
    ("extra", "field", "carried"),
    [
        (f'"note": "{VISA}"', "note", f'"{STARS}"'),
        (f'"note": {VISA}', "note", f'"{STARS}"'),
        (f'"note": {VISA}.0', "note", f'"{STARS}.*"'),
        ('"note": 4.242424242424242e15', "note", '"*.***************e**"'),
        (f'"note": {{"a": [1, "{VISA}"], "b" :1}}', "note", f'{{"a": [1, "{STARS}"], "b" :1}}'),
        (f'"note": [[[{{"{VISA}": 1}}]]]', "note", f'[[[{{"{STARS}": 1}}]]]'),
        (f'"{VISA}": 1', STARS, "1"),
        (f'"{VISA}": "{VISA}"', STARS, f'"{STARS}"'),
        (rf'"\u0001{VISA}": 1', f"\1{STARS}", "1"),
        (f'"note": "{VISA}", "note": "x"', None, '"x"'),
        (f'"note": "x", "note": "{VISA}"', "note", f'"{STARS}"'),
        (f'"note": [{{"a": "{VISA}", "a": 1}}]', "note", f'[{{"a": "{STARS}", "a": 1}}]'),
        (rf'"note": "\u0034{VISA[1:]}"', "note", f'"{STARS}"'),
        (r'"note": "4242\u00204242\u002d4242\u002D4242"', "note", '"**** ****-****-****"'),
        (rf'"note": "\n{VISA}\u00e9"', "note", rf'"\n{STARS}é"'),
        (rf'"note": "\\{VISA}\/"', "note", rf'"\\{STARS}/"'),
        (f'"charged": ["{VISA[:8]}", "{VISA[8:]}"]', None, f'["{VISA[:8]}", "{VISA[8:]}"]'),
    ],
)  # fmt: skip
def test_in_an_unknown_field_it_is_masked(
    parse: Parser, event: Mapping[str, Any], extra: str, field: str | None, carried: str
) -> None:
    value = encoded(event)[:-1] + f", {extra}}}".encode()
    for rules in (InputRules(), STRICT):
        parsed, aside = parse(value, b"tok_1", MAX_CREATED, rules)
        assert parsed.id == event["id"]
        assert aside.masked == (() if field is None else (field,))
        (name,) = aside.unknown
        assert name == (field or json.loads(f"{{{extra}}}").popitem()[0])
        written = orjson.dumps(aside.unknown).decode()
        assert written.endswith(f":{carried}}}")
        assert not reference.holds_card_number(written)


@PARSERS
def test_of_a_repeated_field_the_last_counts(parse: Parser, event: Mapping[str, Any]) -> None:
    value = f'{{"card": "{VISA}", "id": "{VISA}", '.encode() + encoded(event)[1:]
    parsed, aside = parse(value, b"tok_1", MAX_CREATED, STRICT)
    assert (parsed.card, parsed.id) == ("tok_1", event["id"])
    assert not aside.masked
    value = encoded(event)[:-1] + f', "card": "{VISA}"}}'.encode()
    assert refusal(parse, value, VISA.encode()) == told("card")


def test_the_first_field_that_rejects_is_named() -> None:
    event = {**CHARGE, "id": VISA, "merchant": VISA}
    assert refusal(parse_charge, encoded(event), rules=STRICT)[1].startswith("id: ")


def test_every_field_is_told() -> None:
    event = {**CHARGE, "merchant": VISA, "id": VISA, "z": VISA, "email": VISA, "a": [int(VISA)]}
    _, aside = parse_charge(encoded(event), b"tok_1", MAX_CREATED)
    assert aside.masked == ("z", "email", "a")
    assert aside.left == ("id", "merchant")


@PARSERS
@pytest.mark.parametrize("rules", [STRICT, HASHING])
def test_other_errors_are_said_without_it(
    parse: Parser, event: Mapping[str, Any], rules: InputRules
) -> None:
    for name in event:
        value = encoded({**event, name: [VISA, int(VISA)], "created": -1})
        reason, message = refusal(parse, value, VISA.encode(), rules)
        assert reason in {"card_number", "range", "type"}
        assert "4242" not in message


def _escaped(event: Mapping[str, Any]) -> bytes:
    """Encode an event with every character of its strings as an escape."""
    fields = (f'"{name}": {_written(content)}' for name, content in event.items())
    return f"{{{', '.join(fields)}}}".encode()


def _written(content: object) -> str:
    if not isinstance(content, str):
        return json.dumps(content)
    characters = "".join(f"\\u{ord(character):04x}" for character in content)
    return f'"{characters}"'
