"""Charges in every format are what their twins in plain JSON are; damage is refused, and copied."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.rejected import RejectReason
from streams.events.decoding import Decoded, decode_charges, decode_disputes
from streams.events.headers import carried
from streams.events.origin import Origin, decode_label_tail
from streams.events.rejected import Input
from streams.formats.payloads import Payloads
from tests.registry import Registry
from tests.schemas import events
from tests.streams.formats.written import FORMATS, Headers, Known, Serializers

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = {**events.CHARGE, **events.OPTIONAL, "order": 7, "shop_notes": "two words"}
CARD_NUMBER = 4242424242424242


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


@pytest.fixture(scope="module")
def serializers(registry: Registry) -> dict[bool, Serializers]:
    return {
        in_header: Serializers(registry.url, EXAMPLE, in_header=in_header)
        for in_header in (False, True)
    }


@pytest.fixture(scope="module")
def payloads(registry: Registry) -> Payloads:
    return Payloads(Known(registry.url))


def received(
    event: dict[str, Any], value: bytes, headers: Headers | None = None, topic: str = "charges"
) -> Input:
    key = str(event["card"]).encode()
    return Input(key, value, Origin(topic, 3, 41, carried(headers)))


def plain(event: dict[str, Any]) -> Input:
    return received(event, events.encoded(event))


def decoded(inputs: list[Input]) -> Decoded:
    return decode_charges(inputs, events.MAX_CREATED)


def read(payloads: Payloads, inputs: list[Input]) -> list[Input]:
    return [each for each in payloads.read("charges", inputs) if each is not None]


charges = st.fixed_dictionaries(
    {
        "id": st.text(min_size=1, max_size=20),
        "created": st.floats(events.NOW - 1e6, events.NOW),
        "amount": st.integers(0, 2**40),
        "currency": st.sampled_from(["usd", "EUR", "jpy"]),
        "card": st.text(min_size=1, max_size=20),
        "merchant": st.text(min_size=1, max_size=20),
    },
    optional={
        name: st.just(content)
        for name, content in {**events.OPTIONAL, "order": 7, "shop_notes": "äöü \U0001f600"}.items()
    },
)


@pytest.mark.parametrize("in_header", [False, True])
@pytest.mark.parametrize("form", FORMATS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(batch=st.lists(charges, min_size=1, max_size=5))
def test_charges_are_as_their_twins_in_json(
    batch: list[dict[str, Any]],
    form: str,
    in_header: bool,
    serializers: dict[bool, Serializers],
    payloads: Payloads,
) -> None:
    written = [received(event, *serializers[in_header].write(form, event)) for event in batch]
    found, expected = decoded(read(payloads, written)), decoded([plain(event) for event in batch])
    assert [copy.reason for copy in found.rejected] == [copy.reason for copy in expected.rejected]
    assert found.batch.cards == expected.batch.cards
    assert found.batch.merchants == expected.batch.merchants
    np.testing.assert_array_equal(found.batch.rows, expected.batch.rows)
    for ours, theirs in zip(found.batch.tails, expected.batch.tails, strict=True):
        assert json.loads(ours + b"}") == json.loads(theirs + b"}")


def test_all_formats_in_one_batch_with_plain_json(
    serializers: dict[bool, Serializers], payloads: Payloads
) -> None:
    batch = [EXAMPLE | {"id": f"ch_{number}"} for number in range(8)]
    written = [
        plain(event)
        if number % 4 == 3
        else received(event, *serializers[number > 3].write(FORMATS[number % 4], event))
        for number, event in enumerate(batch)
    ]
    found = decoded(read(payloads, written))
    ids = [json.loads(tail.partition(b"\0")[0] + b"}")["charge"] for tail in found.batch.tails]
    assert ids == [event["id"] for event in batch]
    assert not found.findings


@pytest.mark.parametrize("in_header", [False, True])
@pytest.mark.parametrize("form", FORMATS)
def test_what_is_rejected_is_copied_byte_for_byte(
    form: str, in_header: bool, serializers: dict[bool, Serializers], payloads: Payloads
) -> None:
    event = EXAMPLE | {"amount": -5}
    value, headers = serializers[in_header].write(form, event)
    (copy,) = decoded(read(payloads, [received(event, value, headers)])).rejected
    assert copy.value == value
    assert list(copy.carried) == headers
    assert dict(copy.headers)["error"] == b"amount: expected an integer of at least 0, got -5"


@pytest.mark.parametrize("form", ["avro", "protobuf"])
def test_the_number_of_a_card_leaves_no_binary_payload(
    form: str, serializers: dict[bool, Serializers], payloads: Payloads
) -> None:
    """Digits of a number are nowhere to be masked, so what was in the payload is told instead."""
    event = EXAMPLE | {"order": CARD_NUMBER, "amount": -5}
    for in_header in (False, True):
        value, headers = serializers[in_header].write(form, event)
        (copy,) = decoded(read(payloads, [received(event, value, headers)])).rejected
        assert copy.value is not None
        assert json.loads(copy.value) == event | {"order": "*" * 16}
        assert copy.carried == (("decoded", b"true"),)


@pytest.mark.parametrize("form", ["avro", "protobuf"])
def test_a_card_number_in_a_valid_charge_is_masked(
    form: str, serializers: dict[bool, Serializers], payloads: Payloads
) -> None:
    event = EXAMPLE | {"order": CARD_NUMBER, "shop_notes": "4242 4242 4242 4242"}
    value, _ = serializers[False].write(form, event)
    (tail,) = decoded(read(payloads, [received(event, value)])).batch.tails
    assert b"4242" not in tail
    assert json.loads(tail + b"}")["masked"] == ["order", "shop_notes"]


def test_a_dispute_that_is_rejected_later_is_copied_as_it_came(
    registry: Registry, payloads: Payloads
) -> None:
    dispute = dict(events.DISPUTE)
    serializer = Serializers(registry.url, dispute, tuple(dispute))
    for form in FORMATS:
        value, headers = serializer.write(form, dispute, "disputes")
        inputs = read(payloads, [received(dispute, value, headers, "disputes")])
        (tail,) = decode_disputes(inputs, events.MAX_CREATED).batch.tails
        origin, key, copied = decode_label_tail(tail)
        assert (origin.topic, key, copied) == ("disputes", b"tok_1", value)


@pytest.mark.parametrize("form", FORMATS)
def test_a_schema_without_a_required_field(
    form: str, registry: Registry, payloads: Payloads
) -> None:
    event = {name: content for name, content in events.CHARGE.items() if name != "merchant"}
    value, _ = Serializers(registry.url, event, tuple(event)).write(form, event, "lacking")
    (copy,) = decoded(read(payloads, [received(event, value)])).rejected
    assert copy.reason == "missing"
    assert dict(copy.headers)["error"].startswith(b"merchant: ")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("form", FORMATS)
def test_damage_is_an_event_or_refused(
    form: str, data: st.DataObject, serializers: dict[bool, Serializers], payloads: Payloads
) -> None:
    value = bytearray(serializers[False].write(form, EXAMPLE)[0])
    for place in data.draw(st.lists(st.integers(5, len(value) - 1), max_size=3)):
        value[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(5, len(value)))
    damaged = bytes(value[:end]) + data.draw(st.binary(max_size=4))
    inputs = read(payloads, [received(EXAMPLE, damaged)])
    found = decoded(inputs)
    assert len(found.index) + len(found.rejected) == 1
    for copy in found.rejected:
        assert len(copy.value or b"") == len(damaged)
        assert copy.reason in get_args(RejectReason)


@pytest.mark.parametrize("notes", ["two words, no UTF-8 _", "4242 4242 4242 4242 _"])
@pytest.mark.parametrize("form", FORMATS)
def test_a_text_that_is_no_utf_8_is_refused_and_masked(
    form: str, notes: str, serializers: dict[bool, Serializers], payloads: Payloads
) -> None:
    value, _ = serializers[False].write(form, EXAMPLE | {"shop_notes": notes})
    assert value.count(b" _") == 1
    (copy,) = decoded(read(payloads, [received(EXAMPLE, value.replace(b" _", b" \x80"))])).rejected
    assert copy.reason in {"json", "schema"}
    assert b"4242" not in (copy.value or b"")
    assert b"\x80" in (copy.value or b"")


@pytest.mark.parametrize("form", ["avro", "protobuf"])
def test_what_is_cut_off_is_refused(
    form: str, serializers: dict[bool, Serializers], payloads: Payloads
) -> None:
    value, _ = serializers[False].write(form, EXAMPLE)
    (copy,) = decoded(read(payloads, [received(EXAMPLE, value[:-3])])).rejected
    assert copy.reason == "schema"
    assert copy.value == value[:-3]
    assert b"is damaged" in dict(copy.headers)["error"]
