"""The published documents: current, complete, and in agreement with the validation."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas.currency import bundled_rates
from schemas.generate import FOLDER, documents
from schemas.rejected import InvalidEvent
from schemas.validation import parse_charge, parse_dispute, parse_outcome
from tests.schemas import reference
from tests.schemas.events import (
    ACTIONS,
    ANSWERED,
    CHARGE,
    DISPUTE,
    OPTIONAL,
    OUTCOME,
    OUTCOMES,
    encoded,
    values,
    words,
)

STRING, NUMBER, INTEGER, BOOLEAN = "string", "number", "integer", "boolean"
ARRAY, OBJECT = "array", "object"
CHECK = {"pass", "fail", "unchecked"}
# As the contract has them: the field, its type or values, and whether it is required.
CONTRACT: dict[str, dict[str, tuple[str | set[str], bool]]] = {
    "charge": {
        "id": (STRING, True),
        "created": (NUMBER, True),
        "amount": (INTEGER, True),
        "currency": (STRING, True),
        "card": (STRING, True),
        "merchant": (STRING, True),
        "mcc": (INTEGER, False),
        "merchant_country": (STRING, False),
        "card_country": (STRING, False),
        "ip_country": (STRING, False),
        "funding": ({"credit", "debit", "prepaid"}, False),
        "channel": ({"online", "in_person", "recurring"}, False),
        "payment_method": (STRING, False),
        "device": (STRING, False),
        "ip": (STRING, False),
        "email": (STRING, False),
        "cvc_check": (CHECK, False),
        "postal_check": (CHECK, False),
        "three_d_secure": (BOOLEAN, False),
    },
    "dispute": {
        "id": (STRING, True),
        "charge": (STRING, True),
        "card": (STRING, True),
        "merchant": (STRING, True),
        "created": (NUMBER, True),
        "reason": (STRING, False),
        "fraud_type": (STRING, False),
    },
    "outcome": {
        "id": (STRING, True),
        "charge": (STRING, True),
        "card": (STRING, True),
        "merchant": (STRING, True),
        "created": (NUMBER, True),
        "outcome": ({*OUTCOMES}, True),
        "action": ({*ACTIONS}, False),
    },
    "scored": {
        "charge": (STRING, True),
        "card": (STRING, True),
        "merchant": (STRING, True),
        "amount": (INTEGER, True),
        "currency": (STRING, True),
        "created": (NUMBER, True),
        "score": (NUMBER, True),
        "risk": (INTEGER, True),
        "action": ({*ACTIONS}, True),
        "reasons": (ARRAY, True),
        "model": (STRING, True),
        "scored_at": (NUMBER, True),
        "decided_by": (STRING, False),
        "rules": (ARRAY, False),
        "rule_set": (STRING, False),
        "holdout": (OBJECT, False),
        "duplicate": (BOOLEAN, False),
        "ignored": (ARRAY, False),
        "masked": (ARRAY, False),
        "shadow": (OBJECT, False),
    },
    "rejected-headers": {
        "error": (STRING, True),
        "topic": (STRING, True),
        "partition": (STRING, True),
        "offset": (STRING, True),
        "decoded": ({"true"}, False),
    },
    "drift": {
        "signal": (STRING, True),
        "task": (INTEGER, True),
        "at": (NUMBER, True),
        "since": (NUMBER, True),
        "before": (NUMBER, True),
        "after": (NUMBER, True),
        "unit": (STRING, True),
    },
}
TOPICS = {
    "charges": "receive",
    "disputes": "receive",
    "outcomes": "receive",
    "scored": "send",
    "charges.rejected": "send",
    "models": "send",
    "rules": "receive",
    "lists": "receive",
    "merchants": "receive",
    "drift": "send",
}
SCORED = {
    "charge": "ch_1",
    "card": "tok_1",
    "merchant": "m_1",
    "amount": 1999,
    "currency": "usd",
    "created": 1_767_225_600.25,
    "score": 0.01,
    "risk": 85,
    "action": "allow",
    "reasons": [{"feature": "card_count_10m", "value": 4.0, "text": "4 charges in 10 minutes"}],
    "model": "prior",
    "scored_at": 1_767_225_600.5,
    "order": {"unknown": True},
}


def schema(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / "json" / f"{name}.schema.json").read_text())
    return document


def asyncapi() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / "asyncapi.json").read_text())
    return document


VALIDATORS = {
    name: Draft202012Validator(schema(name))
    for name in (*CONTRACT, "snapshot", "champion", "loaded", "rules", "lists", "merchants")
}


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_committed_file_is_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == documents()[path], "run python -m schemas.generate"


def test_nothing_else_is_committed() -> None:
    assert {*FOLDER.rglob("*.json"), *FOLDER.rglob("*.avsc")} == {*documents()}


@pytest.mark.parametrize("name", VALIDATORS)
def test_files_are_json_schemas(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("name", CONTRACT)
def test_fields_are_those_of_the_contract(name: str) -> None:
    document = schema(name)
    (event,) = (
        definition for title, definition in document["$defs"].items()
        if document["$ref"] == f"#/$defs/{title}"
    )  # fmt: skip
    assert {
        field: (_type(content, document["$defs"]), field in event["required"])
        for field, content in event["properties"].items()
    } == CONTRACT[name]
    assert all(content["description"] for content in event["properties"].values())


def _type(field: dict[str, Any], definitions: dict[str, Any]) -> str | set[str]:
    described = next(form for form in field.get("anyOf", [field]) if form.get("type") != "null")
    if "$ref" in described:
        described = definitions[described["$ref"].removeprefix("#/$defs/")]
    return set(described["enum"]) if "enum" in described else described["type"]


@pytest.mark.parametrize(
    ("change", "is_valid"),
    [
        ({}, True),
        ({"duplicate": True}, True),
        ({"amount": 0}, True),
        ({"amount": -1}, False),
        ({"ignored": ["funding", "mcc"], "masked": ["note"]}, True),
        ({"ignored": "funding"}, False),
        ({"reasons": SCORED["reasons"] * 5}, True),  # type: ignore[operator]
        ({"reasons": SCORED["reasons"] * 6}, False),  # type: ignore[operator]
        ({"reasons": [{"feature": "x"}]}, False),
        ({"score": 1.01}, False),
        ({"score": -0.01}, False),
        ({"risk": 100}, False),
        ({"risk": -1}, False),
        ({"shadow": {"linear": 0.5}}, True),
        ({"shadow": {"linear": 1.01}}, False),
        ({"action": "wait"}, False),
        ({"decided_by": "model"}, True),
        ({"decided_by": "holdout", "holdout": {"action": "block", "propensity": 0.02}}, True),
        ({"holdout": {"action": "block", "propensity": 0.0}}, False),
        ({"holdout": {"action": "block", "propensity": 1.01}}, False),
        ({"holdout": {"action": "wait", "propensity": 0.02}}, False),
        ({"holdout": {"action": "block"}}, False),
        ({"holdout": True}, False),
    ],
)
def test_schema_of_scored_events(change: dict[str, Any], is_valid: bool) -> None:
    assert VALIDATORS["scored"].is_valid({**SCORED, **change}) == is_valid


def strings(*sizes: int) -> st.SearchStrategy[str]:
    return st.sampled_from([character * size for character in "aé\N{BANK}" for size in sizes])


# Around every limit of either document, and anything else now and then.
contents = st.one_of(
    st.sampled_from([-1, 0, 1, 2**53 - 1, 2**53, 2**64, 10**30, -0.0, 0.5, 1e15, 1e300, -1.5]),
    st.sampled_from(
        [
            "",
            "usd",
            "USD",
            "us\n",
            "usd\n",
            "usd\N{COMBINING ACUTE ACCENT}",
            "é\N{KELVIN SIGN}a",
            "de",
            "fraudulent",
        ]
    ),
    st.sampled_from(["credit", "online", "pass", "card", "Pass", "loan", True, False, None]),
    st.sampled_from([*OUTCOMES, *ACTIONS, "Answered", "BLOCK", "approved"]),
    st.sampled_from(["5411", "0742", "10000", "-1", "true", "FALSE", "yes", "t1", "é1", "USA"]),
    strings(1, 2, 3, 128, 129, 1024, 1025),
    values,
)


def changed(event: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Events with some fields missing, some changed and some added."""
    names = st.sampled_from(sorted(event))
    return st.builds(
        lambda changes, without: {
            name: content for name, content in {**event, **changes}.items() if name not in without
        },
        st.dictionaries(st.one_of(names, names, words), contents, max_size=3),
        st.one_of(st.just(set()), st.sets(names, max_size=1)),
    )


@settings(max_examples=500)
@given(changed({**CHARGE, **OPTIONAL}))
@example({**CHARGE, "email": ""})
@example({**CHARGE, "amount": 0, "currency": "USD", "card_country": "us", "mcc": "0742"})
@example({**CHARGE, "funding": "unknown"})
@example({**CHARGE, "currency": "aaa"})
def test_schema_of_charges_agrees_with_the_validation(event: dict[str, Any]) -> None:
    """The schema says what every field means; the validation reads some other ways to write it.

    What the schema refuses in a required field rejects, in an optional one it is ignored.
    """
    assume(not reference.holds_card_number(encoded(event).decode()))
    meant = {name: _plainly(name, content) for name, content in event.items() if content != ""}
    meant |= {name: "" for name, content in event.items() if content == "" and _is_required(name)}
    errors = {
        error.path[0] if error.path else "" for error in VALIDATORS["charge"].iter_errors(meant)
    }
    refused = {name for name in errors if name == "" or _is_required(str(name))}
    # Which currencies have a rate is a setting, and not in the schema.
    currency = event.get("currency")
    has_rate = not isinstance(currency, str) or currency.lower() in bundled_rates()
    assert _is_refused(parse_charge, event) == (bool(refused) or not has_rate)
    if not refused and has_rate:
        _, aside = parse_charge(encoded(event), str(event["card"]).encode(), float("inf"))
        assert set(aside.ignored) == errors


def _is_required(name: str) -> bool:
    return CONTRACT["charge"].get(name, ("", False))[1]


def _plainly(name: str, content: object) -> object:
    """Return content of an optional field as the schema has it, where it is written otherwise."""
    form, required = CONTRACT["charge"].get(name, (STRING, True))
    if required or not isinstance(content, str):
        return content
    if isinstance(form, set):
        return content.lower()
    if form == INTEGER and re.fullmatch("[0-9]+", content):
        return int(content)
    if form == BOOLEAN:
        return {"true": True, "false": False}.get(content.lower(), content)
    return content


@settings(max_examples=300)
@given(changed({**DISPUTE, "fraud_type": "misc"}))
@example({**DISPUTE, "fraud_type": ""})
@example({**DISPUTE, "reason": 10.4})
@example({**DISPUTE, "reason": None})
@example({**DISPUTE, "reason": None, "fraud_type": ""})
@example({**DISPUTE, "reason": None, "fraud_type": 0})
def test_schema_of_disputes_agrees_with_the_validation(event: dict[str, Any]) -> None:
    assume(not reference.holds_card_number(encoded(event).decode()))
    empty = {"fraud_type"} if event.get("fraud_type") == "" else set()
    meant = {name: content for name, content in event.items() if name not in empty}
    assert _is_refused(parse_dispute, event) != VALIDATORS["dispute"].is_valid(meant)


@settings(max_examples=500)
@given(st.one_of(changed(dict(OUTCOME)), changed(dict(ANSWERED))))
@example({**OUTCOME, "outcome": "approved"})
@example({**OUTCOME, "outcome": "Authorized"})
@example({**OUTCOME, "outcome": "answered"})
@example({**OUTCOME, "action": ""})
@example({**ANSWERED, "action": ""})
@example({**ANSWERED, "action": None})
@example({**ANSWERED, "action": "BLOCK"})
def test_schema_of_outcomes_agrees_with_the_validation(event: dict[str, Any]) -> None:
    """Of an outcome and its action, the validation reads any case, and no action from ""."""
    assume(not reference.holds_card_number(encoded(event).decode()))
    names = {name for name in ("outcome", "action") if isinstance(event.get(name), str)}
    meant = {name: str(text).lower() if name in names else text for name, text in event.items()}
    if meant.get("action") == "":
        del meant["action"]
    assert _is_refused(parse_outcome, event) != VALIDATORS["outcome"].is_valid(meant)


def _is_refused(parse: Callable[..., object], event: dict[str, Any]) -> bool:
    try:
        parse(encoded(event), str(event.get("card")).encode(), float("inf"))
    except InvalidEvent as error:
        if error.reason in {"missing", "type", "range"}:
            return True
        raise
    return False


def test_asyncapi_has_every_topic_of_the_contract() -> None:
    document = asyncapi()
    assert document["asyncapi"] == "3.0.0"
    addresses = {name: channel["address"] for name, channel in document["channels"].items()}
    assert {*addresses.values()} == {f"{{topic_prefix}}{topic}" for topic in TOPICS}
    actions = {
        addresses[operation["channel"]["$ref"].removeprefix("#/channels/")]: operation["action"]
        for operation in document["operations"].values()
    }
    assert actions == {f"{{topic_prefix}}{topic}": action for topic, action in TOPICS.items()}


def test_asyncapi_refers_to_nothing_that_is_not_there() -> None:
    document = asyncapi()
    references = [*_references(document)]
    assert len(references) > 20
    for target in references:
        content = document
        for part in target.removeprefix("#/").split("/"):
            content = content[part]


def test_asyncapi_describes_what_is_on_a_topic() -> None:
    document = asyncapi()
    payloads = {
        name: message["payload"].get("$ref", "").rpartition("/")[2]
        for name, message in document["components"]["messages"].items()
    }
    assert payloads == {
        "Charges": "Charge",
        "Disputes": "Dispute",
        "Outcomes": "Outcome",
        "Scored": "Scored",
        "ChargesRejected": "",
        "Models": "Snapshot",
        "ModelsChampion": "Champion",
        "ModelsLoaded": "Loaded",
        "Rules": "MerchantRules",
        "Lists": "ListEntry",
        "Merchants": "MerchantSettings",
        "Drift": "Drift",
    }
    schemas = document["components"]["schemas"]
    for name in VALIDATORS:
        for title, definition in schema(name)["$defs"].items():
            assert schemas[title].keys() == definition.keys()
            assert schemas[title]["properties"].keys() == definition["properties"].keys()


def _references(content: object) -> Iterator[str]:
    if isinstance(content, dict):
        if "$ref" in content:
            yield content["$ref"]
        for part in content.values():
            yield from _references(part)
    elif isinstance(content, list):
        for part in content:
            yield from _references(part)
