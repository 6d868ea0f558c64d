"""Validation of fields: every rule of the contract, and what is said when it is broken."""

import re
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from schemas.aside import Aside
from schemas.charge import Charge
from schemas.validation import parse_charge, parse_dispute, parse_outcome
from tests.schemas.events import (
    ACTIONS,
    ANSWERED,
    CHARGE,
    DISPUTE,
    MAX_CREATED,
    OPTIONAL,
    OUTCOME,
    OUTCOMES,
    encoded,
)
from tests.schemas.parsing import CURRENCY, PARSERS, Parser, refusal

LONG = "x" * 129
STRING = "a string of 1 to 128 characters"
MAJOR = "; it looks like major units: write minor units (1999 for 19.99 USD, 20 for 20 JPY)"
TEXT = "a string of 1 to 1024 characters"
REASON = "a string of at most 1024 characters, or a number"
ONE_OUTCOME = f"one of {', '.join(sorted(OUTCOMES))}"
ONE_ACTION = f"one of {', '.join(sorted(ACTIONS))}"
WHICH_ACTION = "; an `answered` outcome says which action was given"
FROM_SCORED = "; add it as it is in the charge, or on the topic `scored`"
WARNING = "or the fraud_type of an early warning"
FROM_THE_CHARGE = (
    "add it as it is in the charge that is disputed, which is found by its id among the charges, "
    "or as `charge` on the topic `scored`"
)


def parse_good_charge(event: Mapping[str, Any]) -> tuple[Charge, Aside]:
    return parse_charge(encoded(event), event["card"].encode(), MAX_CREATED)


def test_charge_with_required_fields_alone() -> None:
    charge, aside = parse_good_charge(CHARGE)
    assert {name: getattr(charge, name) for name in CHARGE} == CHARGE
    assert all(getattr(charge, name) is None for name in OPTIONAL)
    assert aside == Aside({})


def test_charge_with_every_field() -> None:
    event = {**OPTIONAL, **CHARGE}
    charge, aside = parse_good_charge(event)
    assert {name: getattr(charge, name) for name in charge.__struct_fields__} == event
    assert aside == Aside({})


def test_dispute_with_every_field() -> None:
    event = {**DISPUTE, "fraud_type": "misc"}
    dispute, aside = parse_dispute(encoded(event), b"tok_1", MAX_CREATED)
    assert {name: getattr(dispute, name) for name in dispute.__struct_fields__} == event
    assert aside == Aside({})


@pytest.mark.parametrize("name", OUTCOMES)
@pytest.mark.parametrize("action", [None, *ACTIONS])
def test_outcome_with_every_field(name: str, action: str | None) -> None:
    event = {**OUTCOME, "outcome": name, "action": action}
    if name == "answered" and action is None:
        return  # refused, see below
    outcome, aside = parse_outcome(encoded({**event, "psp": 7}), b"tok_1", MAX_CREATED)
    assert {field: getattr(outcome, field) for field in outcome.__struct_fields__} == event
    assert orjson.dumps(aside.unknown) == b'{"psp":7}'


@pytest.mark.parametrize("action", ["", None])
def test_outcome_may_have_an_empty_action(action: str | None) -> None:
    outcome, _ = parse_outcome(encoded({**OUTCOME, "action": action}), b"tok_1", MAX_CREATED)
    assert (outcome.outcome, outcome.action) == ("authorized", None)


def test_case_of_an_outcome_does_not_matter() -> None:
    event = {**ANSWERED, "outcome": "ANSWERED", "action": "Block"}
    outcome, _ = parse_outcome(encoded(event), b"tok_1", MAX_CREATED)
    assert (outcome.outcome, outcome.action) == ("answered", "block")


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
        ("amount", 0),
        ("amount", 1),
        ("amount", 2**53 - 1),
        ("currency", "jpy"),
        ("currency", "clf"),
        ("merchant", "M" * 128),
        ("mcc", 0),
        ("mcc", 9999),
        ("merchant_country", "T1"),
        ("card_country", "DE"),
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
    charge, aside = parse_good_charge({**CHARGE, field: content})
    assert getattr(charge, field) == content
    assert aside == Aside({})


@pytest.mark.parametrize(
    ("field", "content", "meant"),
    [
        ("amount", 5.0, 5),
        ("amount", 2e3, 2000),
        ("amount", 0.0, 0),
        ("currency", "USD", "usd"),
        ("currency", "Jpy", "jpy"),
        ("merchant_country", "us", "US"),
        ("card_country", "uS", "US"),
        ("ip_country", "t1", "T1"),
        ("mcc", 5541.0, 5541),
        ("mcc", "5411", 5411),
        ("mcc", "0742", 742),
        ("funding", "CREDIT", "credit"),
        ("funding", "Prepaid", "prepaid"),
        ("channel", "Online", "online"),
        ("cvc_check", "PASS", "pass"),
        ("postal_check", "Unchecked", "unchecked"),
        ("three_d_secure", "true", True),
        ("three_d_secure", "FALSE", False),
    ],
)
def test_other_ways_to_write_the_same(field: str, content: object, meant: object) -> None:
    charge, aside = parse_good_charge({**CHARGE, **OPTIONAL, field: content})
    read = getattr(charge, field)
    assert (read, type(read)) == (meant, type(meant))
    assert aside == Aside({})


@pytest.mark.parametrize(
    ("field", "content"),
    [
        ("mcc", -1), ("mcc", 10_000), ("mcc", 10**30), ("mcc", 0.5), ("mcc", "-1"), ("mcc", "x"),
        ("mcc", "1" * 5_000), ("mcc", "\u0665\u0664\u0661\u0661"), ("mcc", True), ("mcc", []),
        ("merchant_country", "USA"), ("card_country", 840), ("ip_country", "X"),
        ("ip_country", "  "), ("ip_country", "é1"), ("card_country", "\u00df"),
        ("card_country", {}),
        ("funding", "unknown"), ("funding", "loan"), ("funding", 1), ("funding", ["credit"]),
        ("channel", "ecommerce"), ("channel", 1),
        ("cvc_check", "unavailable"), ("postal_check", True),
        ("three_d_secure", "authenticated"), ("three_d_secure", 1), ("three_d_secure", "yes"),
        ("payment_method", []), ("payment_method", "x" * 1025),
        ("device", "x" * 1025), ("ip", 1), ("email", False), ("email", {"a": 1}),
    ],
)  # fmt: skip
def test_what_an_optional_field_cannot_have_is_ignored(field: str, content: object) -> None:
    charge, aside = parse_good_charge({**CHARGE, **OPTIONAL, field: content, "order": 7})
    assert {name: getattr(charge, name) for name in charge.__struct_fields__} == {
        **CHARGE, **OPTIONAL, field: None
    }  # fmt: skip
    assert aside.ignored == (field,)
    assert orjson.dumps(aside.unknown) == b'{"order":7}'


def test_ignored_fields_are_told_in_their_order() -> None:
    wrong: dict[str, object] = dict.fromkeys(reversed([*OPTIONAL]), -0.5)
    charge, aside = parse_good_charge({**CHARGE, **wrong, "ip_country": "??"})
    assert aside.ignored == tuple(OPTIONAL)
    assert all(getattr(charge, name) is None for name in OPTIONAL)


@pytest.mark.parametrize("field", OPTIONAL)
@pytest.mark.parametrize("content", [None, ""])
def test_optional_field_may_be_null_or_empty(field: str, content: str | None) -> None:
    charge, aside = parse_good_charge({**CHARGE, **OPTIONAL, field: content})
    assert getattr(charge, field) is None
    assert aside == Aside({})


@pytest.mark.parametrize(
    ("field", "content", "reason", "message"),
    [
        ("amount", -5, "range", "amount: expected an integer of at least 0, got -5"),
        ("amount", "1999", "type", 'amount: expected an integer of at least 0, got "1999"'),
        ("amount", 19.99, "type", "amount: expected an integer of at least 0, got 19.99" + MAJOR),
        ("amount", -5.0, "range", "amount: expected an integer of at least 0, got -5"),
        ("amount", True, "type", "amount: expected an integer of at least 0, got true"),
        ("amount", [5], "type", "amount: expected an integer of at least 0, got an array"),
        ("amount", None, "missing", "amount: expected an integer of at least 0, got none"),
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
        ("currency", "US1", "range", f'currency: expected {CURRENCY}, got "US1"'),
        ("currency", "us\u212a", "range", f'currency: expected {CURRENCY}, got "us\u212a"'),
        ("currency", "us", "range", f'currency: expected {CURRENCY}, got "us"'),
        ("currency", "uß1", "range", f'currency: expected {CURRENCY}, got "uß1"'),
        ("currency", "xxx", "range",
         'currency: expected one with a rate, got "xxx"; to take it, add it to a copy of '
         "schemas/currencies.toml and name that in the setting currency_rates"),
        ("currency", 840, "type", f"currency: expected {CURRENCY}, got 840"),
        ("currency", None, "missing", f"currency: expected {CURRENCY}, got none"),
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
        ("card", None, "missing", f"card: expected {STRING}, got none; {FROM_THE_CHARGE}"),
        ("merchant", None, "missing", f"merchant: expected {STRING}, got none; {FROM_THE_CHARGE}"),
        ("merchant", 1, "type", f"merchant: expected {STRING}, got an integer"),
        ("created", "1", "type", 'created: expected a number of at least 0, got "1"'),
        ("reason", True, "type", f"reason: expected {REASON}; {WARNING}, got true"),
        ("reason", [], "type", f"reason: expected {REASON}; {WARNING}, got an array"),
        ("reason", None, "missing", f"reason: expected {REASON}; {WARNING}, got none"),
        ("fraud_type", False, "type", f"fraud_type: expected {REASON}, got false"),
    ],
)  # fmt: skip
def test_wrong_field_of_a_dispute_is_named(
    field: str, content: object, reason: str, message: str
) -> None:
    assert refusal(parse_dispute, encoded({**DISPUTE, field: content})) == (reason, message)


@pytest.mark.parametrize(
    ("field", "content", "reason", "message"),
    [
        ("id", "", "range", f"id: expected {TEXT}, got an empty string"),
        ("charge", LONG, "range", f"charge: expected {STRING}, got 129 characters"),
        ("charge", None, "missing", f"charge: expected {STRING}, got none"),
        ("card", None, "missing", f"card: expected {STRING}, got none{FROM_SCORED}"),
        ("merchant", None, "missing", f"merchant: expected {STRING}, got none{FROM_SCORED}"),
        ("created", "1", "type", 'created: expected a number of at least 0, got "1"'),
        ("outcome", None, "missing", f"outcome: expected {ONE_OUTCOME}, got none"),
        ("outcome", "", "range", f'outcome: expected {ONE_OUTCOME}, got ""'),
        ("outcome", "approved", "range", f'outcome: expected {ONE_OUTCOME}, got "approved"'),
        ("outcome", "blocked ", "range", f'outcome: expected {ONE_OUTCOME}, got "blocked "'),
        ("outcome", 1, "type", f"outcome: expected {ONE_OUTCOME}, got 1"),
        ("outcome", True, "type", f"outcome: expected {ONE_OUTCOME}, got true"),
        ("outcome", ["authorized"], "type", f"outcome: expected {ONE_OUTCOME}, got an array"),
        ("outcome", {"type": "authorized"}, "type",
         f"outcome: expected {ONE_OUTCOME}, got an object"),
        ("action", None, "missing", f"action: expected {ONE_ACTION}, got none{WHICH_ACTION}"),
        ("action", "", "missing", f"action: expected {ONE_ACTION}, got none{WHICH_ACTION}"),
        ("action", "deny", "range", f'action: expected {ONE_ACTION}, got "deny"'),
        ("action", 3, "type", f"action: expected {ONE_ACTION}, got 3"),
        ("action", [], "type", f"action: expected {ONE_ACTION}, got an array"),
    ],
)  # fmt: skip
def test_wrong_field_of_an_outcome_is_named(
    field: str, content: object, reason: str, message: str
) -> None:
    assert refusal(parse_outcome, encoded({**ANSWERED, field: content})) == (reason, message)


def test_an_answer_without_its_action_says_what_to_add() -> None:
    rest = {name: content for name, content in ANSWERED.items() if name != "action"}
    assert refusal(parse_outcome, encoded(rest)) == (
        "missing", f"action: expected {ONE_ACTION}, got none{WHICH_ACTION}"
    )  # fmt: skip


@PARSERS
def test_missing_field_is_named(parse: Parser, event: Mapping[str, Any]) -> None:
    for field in event:
        rest = {name: content for name, content in event.items() if name != field}
        reason, message = refusal(parse, encoded(rest))
        assert reason == "missing"
        assert message.startswith(f"{field}: expected ")
        assert re.search(", got none(;|$)", message)


def test_first_wrong_field_is_named() -> None:
    event = {**CHARGE, "merchant": "", "amount": -1, "mcc": "x"}
    assert refusal(parse_charge, encoded(event))[1].startswith("amount: ")
