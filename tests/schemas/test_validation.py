"""Validation of fields: every rule of the contract, and what is said when it is broken."""

from collections.abc import Mapping
from typing import Any

import pytest

from schemas.charge import Charge
from schemas.validation import parse_charge, parse_dispute
from tests.schemas.events import CHARGE, DISPUTE, MAX_CREATED, OPTIONAL, encoded
from tests.schemas.parsing import CURRENCY, PARSERS, Parser, refusal

LONG = "x" * 129
COUNTRY = "a country's two letters (ISO 3166-1 alpha-2)"
STRING = "a string of 1 to 128 characters"
MAJOR = "; it looks like major units: write minor units (1999 for 19.99 USD, 20 for 20 JPY)"
TEXT = "a string of 1 to 1024 characters"
CHECK = "one of fail, pass, unchecked"


def parse_good_charge(event: Mapping[str, Any]) -> tuple[Charge, Mapping[str, Any]]:
    return parse_charge(encoded(event), event["card"].encode(), MAX_CREATED)


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
        ("amount", 19.99, "type", f"amount: expected an integer above 0, got 19.99{MAJOR}"),
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
        ("card", None, "missing",
         f"card: expected {STRING}, got none; add the `card` of the charge it is about"),
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
        assert message.partition("; ")[0].endswith(", got none")


def test_first_wrong_field_is_named() -> None:
    event = {**CHARGE, "merchant": "", "amount": 0, "mcc": "x"}
    assert refusal(parse_charge, encoded(event))[1].startswith("amount: ")
