"""Decoding batches: good and bad input side by side, and what of each goes on."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.card_numbers import card_token
from schemas.input_rules import InputRules
from schemas.rejected import InvalidEvent
from schemas.scored import Scored
from schemas.validation import PAYLOAD_BYTES_MAX
from streams.events.decoding import (
    Decoded,
    card_in,
    decode_charges,
    decode_disputes,
    decode_outcomes,
)
from streams.events.origin import Origin, decode_label_tail
from streams.events.rejected import Input, Rejected, reject
from streams.events.rows import (
    AUTHORIZED,
    CHARGE,
    FRAUD_DISPUTE,
    OTHER_DISPUTE,
    REVIEW_FRAUD,
    hash_of,
)
from tests.schemas import events

VISA = "4242424242424242"
ANY = {**events.CHARGE, **events.DISPUTE, **events.OUTCOME}
ORIGIN = Origin("eu.charges", 3, 41)
# Payload and key of what is no event of any kind, by the reason for which it is rejected.
BAD: dict[str, tuple[bytes | None, bytes | None]] = {
    "json": (b"\xff\x00{", b"tok_1"),
    "type": (events.encoded({**ANY, "created": "x"}), b"tok_1"),
    "missing": (b"{}", b"tok_1"),
    "range": (events.encoded({**ANY, "merchant": ""}), b"tok_1"),
    "key": (events.encoded(ANY), None),
    "card_number": (events.encoded({"card": VISA}), VISA.encode()),
    "future": (events.encoded({**ANY, "created": 1e12}), b"tok_1"),
    "too_large": (b"x" * (PAYLOAD_BYTES_MAX + 1), b"\xff"),
    "nesting": (b"[" * 600, b""),
}


def charge(number: int) -> dict[str, Any]:
    return {
        **events.CHARGE,
        "id": f"ch_{number}",
        "card": f"tök_{number}",
        "merchant": f"m_{number}",
        "created": events.NOW + number,
        "amount": 100 * (number + 1),
        "order": number,
    }


def dispute(number: int) -> dict[str, Any]:
    return {
        **events.DISPUTE,
        "card": f"tök_{number}",
        "merchant": f"m_{number}",
        "created": events.NOW + number,
        "reason": "fraudulent" if number % 2 else "duplicate",
    }


def outcome(number: int) -> dict[str, Any]:
    return {
        **events.OUTCOME,
        "card": f"tök_{number}",
        "merchant": f"m_{number}",
        "created": events.NOW + number,
        "outcome": "review_fraud" if number % 2 else "authorized",
    }


def received(event: dict[str, Any], topic: str, offset: int) -> Input:
    return Input(event["card"].encode(), events.encoded(event), Origin(topic, 3, offset))


def bad(reason: str, topic: str, offset: int) -> Input:
    value, key = BAD[reason]
    return Input(key, value, Origin(topic, 3, offset))


def offsets_and_reasons(rejected: list[Rejected]) -> list[tuple[int, str]]:
    return [(int(dict(copy.headers)["offset"]), copy.reason) for copy in rejected]


# Each input of a batch is good (None) or bad for a reason.
batches = st.lists(st.one_of(st.none(), st.sampled_from(sorted(BAD))), max_size=12)
ALL_KINDS = [None, *(kind for reason in BAD for kind in (reason, None))]


@given(batches)
@example([])
@example(ALL_KINDS)
def test_bad_charges_between_good_ones(batch: list[str | None]) -> None:
    decoded = decode_charges(
        [
            received(charge(i), "charges", 100 + i)
            if reason is None
            else bad(reason, "charges", 100 + i)
            for i, reason in enumerate(batch)
        ],
        events.MAX_CREATED,
    )
    good = [i for i, reason in enumerate(batch) if reason is None]
    assert decoded.index == good
    assert decoded.batch.cards == [f"tök_{i}".encode() for i in good]
    assert decoded.batch.merchants == [f"m_{i}".encode() for i in good]
    assert decoded.batch.rows["created"].tolist() == [events.NOW + i for i in good]
    assert decoded.batch.rows["amount"].tolist() == [i + 1.0 for i in good]
    assert decoded.batch.rows["kind"].tolist() == [CHARGE] * len(good)
    assert [json.loads(tail + b"}")["order"] for tail in decoded.batch.tails] == good
    assert offsets_and_reasons(decoded.rejected) == [
        (100 + i, reason) for i, reason in enumerate(batch) if reason is not None
    ]


@pytest.mark.parametrize(
    ("make", "decode", "kinds"),
    [
        (dispute, decode_disputes, (OTHER_DISPUTE, FRAUD_DISPUTE)),
        (outcome, decode_outcomes, (AUTHORIZED, REVIEW_FRAUD)),
    ],
)
@given(batches)
@example([])
@example(ALL_KINDS)
def test_bad_labels_between_good_ones(
    make: Callable[[int], dict[str, Any]],
    decode: Callable[[list[Input], float], Decoded],
    kinds: tuple[int, int],
    batch: list[str | None],
) -> None:
    inputs = [
        received(make(i), "labels", i) if reason is None else bad(reason, "labels", i)
        for i, reason in enumerate(batch)
    ]
    decoded = decode(inputs, events.MAX_CREATED)
    good = [i for i, reason in enumerate(batch) if reason is None]
    assert decoded.index == good
    assert decoded.batch.cards == [f"tök_{i}".encode() for i in good]
    assert decoded.batch.merchants == [f"m_{i}".encode() for i in good]
    assert decoded.batch.rows["created"].tolist() == [events.NOW + i for i in good]
    assert decoded.batch.rows["kind"].tolist() == [kinds[i % 2] for i in good]
    # It may still be rejected later on, as it came.
    assert [decode_label_tail(tail) for tail in decoded.batch.tails] == [
        (inputs[i].origin, inputs[i].key, inputs[i].value) for i in good
    ]
    assert offsets_and_reasons(decoded.rejected) == [
        (i, reason) for i, reason in enumerate(batch) if reason is not None
    ]


@pytest.mark.parametrize("reason", BAD)
def test_rejected_copy_and_its_headers(reason: str) -> None:
    value, key = BAD[reason]
    copy = decode_charges([Input(key, value, ORIGIN)], events.MAX_CREATED).rejected[0]
    headers = dict(copy.headers)
    assert copy.headers == [
        ("error", headers["error"]),
        ("topic", b"eu.charges"),
        ("partition", b"3"),
        ("offset", b"41"),
    ]
    assert b": expected " in headers["error"]
    assert copy.reason == reason
    if reason != "card_number":
        assert (copy.key, copy.value) == (key, value)


def test_card_numbers_are_masked_in_all_of_a_rejected_copy() -> None:
    value = f'{{"card": "{VISA}", "{VISA}": {VISA}}}'.encode()
    copy = reject(Input(VISA.encode(), value, ORIGIN), InvalidEvent("range", f"amount: got {VISA}"))
    stars = "*" * 16
    assert copy.key == stars.encode()
    assert copy.value == f'{{"card": "{stars}", "{stars}": {stars}}}'.encode()
    assert copy.headers[0] == ("error", f"amount: got {stars}".encode())


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (events.encoded({"before": events.CHARGE, "after": None, "op": "d"}), "a Debezium change"),
        (b"\0\0\0\0\x2a" + events.encoded(events.CHARGE), "a schema registry (schema 42)"),
        (events.encoded({**events.CHARGE, "created": 1e12}), "milliseconds: divide by 1,000"),
    ],
)
def test_rejected_copy_says_what_it_looks_like(value: bytes, said: str) -> None:
    [copy] = decode_charges([Input(b"tok_1", value, ORIGIN)], events.MAX_CREATED).rejected
    assert copy.value == value
    assert said in dict(copy.headers)["error"].decode()


def test_rejected_copy_of_a_tombstone() -> None:
    (copy,) = decode_charges([Input(None, None, ORIGIN)], events.MAX_CREATED).rejected
    assert (copy.key, copy.value, copy.reason) == (None, None, "json")


def scored_head(event: dict[str, Any]) -> dict[str, Any]:
    (tail,) = decode_charges([received(event, "charges", 0)], events.MAX_CREATED).batch.tails
    head: dict[str, Any] = json.loads(tail + b"}", object_pairs_hook=_without_repeats)
    return head


def _without_repeats(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(fields)) == len(fields)
    return dict(fields)


KNOWN = {
    "charge": "ch_1",
    "card": "tok_1",
    "merchant": "m_1",
    "amount": 1999,
    "currency": "usd",
    "created": events.NOW + 0.25,
}


def test_head_of_a_scored_event() -> None:
    assert scored_head({**events.CHARGE, **events.OPTIONAL}) == KNOWN


def test_unknown_fields_are_carried_along() -> None:
    unknown = {"order": 10**29, "grade": "low", "é": ["x", {"y": None}], "z": 0.1, "": True}
    assert scored_head({**events.CHARGE, **unknown}) == {**KNOWN, **unknown}


def test_masked_and_ignored_fields_are_told() -> None:
    event = {**events.CHARGE, "funding": "unknown", "email": VISA, "note": {"a": int(VISA)}}
    stars = "*" * 16
    assert scored_head(event) == {
        **KNOWN,
        "note": {"a": stars},
        "ignored": ["funding"],
        "masked": ["email", "note"],
    }
    # Of a producer's own fields of these names nothing is said.
    assert scored_head({**event, "ignored": ["x"], "masked": 7}) == scored_head(event)
    assert scored_head({**events.CHARGE, "ignored": ["x"], "masked": 7}) == KNOWN


def test_name_of_the_scored_event_wins() -> None:
    own = dict.fromkeys(Scored.__struct_fields__, "mine")
    assert {"score", "duplicate", "charge"} <= own.keys()
    assert scored_head({**own, **events.CHARGE, "note": "x"}) == {**KNOWN, "note": "x"}


HASHING = InputRules(card_hash_key=b"a key of 16 bytes or more")


@pytest.mark.parametrize("written", [VISA, "4242 4242 4242 4242", "4242-4242-4242-4242"])
def test_a_hashed_card_is_the_same_everywhere(written: str) -> None:
    """Charge, dispute and outcome meet by it, and what is written has no digits of it."""
    key = written.encode()
    token = card_token(VISA, HASHING.card_hash_key)
    charge_value, dispute_value, outcome_value = (
        events.encoded({**event, "card": written})
        for event in (events.CHARGE, events.DISPUTE, events.OUTCOME)
    )
    charges = decode_charges([Input(key, charge_value, ORIGIN)], events.MAX_CREATED, HASHING)
    disputes = decode_disputes([Input(key, dispute_value, ORIGIN)], events.MAX_CREATED, HASHING)
    outcomes = decode_outcomes([Input(key, outcome_value, ORIGIN)], events.MAX_CREATED, HASHING)
    assert charges.batch.cards == [token.encode()]
    assert charges.batch.rows["card"][0] == hash_of(token)
    for labels in (disputes, outcomes):
        assert labels.batch.cards == charges.batch.cards
        for name in ("card", "charge"):
            assert labels.batch.rows[name].tolist() == charges.batch.rows[name].tolist()
    assert json.loads(charges.batch.tails[0] + b"}") == {**KNOWN, "card": token}
    masked = re.sub("[0-9]", "*", written).encode()
    for labels, value in ((disputes, dispute_value), (outcomes, outcome_value)):
        assert decode_label_tail(labels.batch.tails[0]) == (
            ORIGIN, masked, value.replace(key, masked)
        )  # fmt: skip


def test_a_dispute_goes_on_without_card_numbers() -> None:
    written = {"note": VISA, "paid": int(VISA), "id": VISA, "reason": f"stolen {VISA}"}
    value = events.encoded({**events.DISPUTE, **written})
    decoded = decode_disputes([Input(b"tok_1", value, ORIGIN)], events.MAX_CREATED)
    (tail,) = decoded.batch.tails
    assert decode_label_tail(tail) == (
        ORIGIN, b"tok_1", value.replace(VISA.encode(), b"*" * 16)
    )  # fmt: skip
    assert decoded.findings == {
        ("masked", "reason"): 1, ("masked", "other"): 2, ("card_number", "id"): 1
    }  # fmt: skip


def test_findings_are_counted_by_field() -> None:
    odd: list[dict[str, Any]] = [
        {},
        {"funding": "unknown", "mcc": "x"},
        {"funding": 7, "email": VISA},
        {"note": VISA, VISA: 1},
        {"id": VISA, "merchant": VISA},
        {"id": VISA, "amount": -1},
    ]
    decoded = decode_charges(
        [received({**events.CHARGE, **fields}, "charges", i) for i, fields in enumerate(odd)],
        events.MAX_CREATED,
    )
    assert decoded.findings == {
        ("ignored", "funding"): 2,
        ("ignored", "mcc"): 1,
        ("masked", "email"): 1,
        ("masked", "other"): 2,
        ("card_number", "id"): 1,
        ("card_number", "merchant"): 1,
    }


@pytest.mark.parametrize(
    ("value", "card"),
    [
        (b'{"card":"t\xc3\xb6k"}', "tök"),
        (b'{"card":"\\u00e9","card":"b"}', "b"),
        (b'{"card":""}', ""),
        (b'{"card":7}', None),
        (b'{"card":null}', None),
        (b"{}", None),
        (b"[]", None),
        (b'"card"', None),
        (b"7", None),
        (b"", None),
        (b'{"card":"\\ud800"}', None),
        (b'{"card":"\xff"}', None),
        (b'{"card":7,"card":"b"}', "b"),
        (b'{"card":"b","card":7}', None),
        (b"[" * 5_000, None),
        (b'{"card":"b","deep":' + b"[" * 1_020 + b"]" * 1_020 + b"}", "b"),
        (b'{"card":"b","deep":' + b"[" * 5_000 + b"]" * 5_000 + b"}", None),
    ],
)
def test_card_of_a_payload(value: bytes, card: str | None) -> None:
    assert card_in(value) == (None if card is None else card.encode())
