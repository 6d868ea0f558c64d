"""Messages in a company's own shape: as the same rows of a file, and what keys they may have."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from schemas.card_numbers import card_token
from schemas.currency import bundled_rates
from streams.events.decoding import Decoded, decode_charges, decode_disputes
from streams.events.origin import Origin
from streams.events.rejected import Input
from streams.formats.payloads import Payloads
from streams.mapping.making import Means
from streams.mapping.messages import MessageMapping
from streams.mapping.mistakes import MappingError
from streams.mapping.reading import read_mapping

KEY = b"0123456789abcdef"
NOW = 1_790_000_000.0
PAGE = """
leave_out = "livemode = 'false'"

[charge]
id = "ref"
created = { from = "time", unit = "ms" }
amount = { from = "money.total", unit = "major" }
currency = "money.currency"
card = { from = "pan", hash = true }
merchant = "shop"

[[dispute]]
when = "status = 'lost'"
id = "case"
charge = "ref"
created = { from = "time", unit = "ms" }
card = { from = "pan", hash = true }
merchant = "shop"
reason = "why"
"""
PAN = "4242424242424242"
ROW = {
    "ref": "r1", "time": int(NOW * 1000), "money": {"total": 19.99, "currency": "USD"},
    "pan": PAN, "shop": "s1", "livemode": True, "note": "gift",
}  # fmt: skip
CARD = card_token(PAN, KEY)


def payloads(page: str = PAGE) -> Payloads:
    means = Means(bundled_rates().decimals, KEY)
    return Payloads(mapping=MessageMapping(read_mapping(page, "shop.toml"), means))


def received(row: Any, key: str = CARD, topic: str = "charges") -> Input:
    return Input(key.encode(), orjson.dumps(row), Origin(topic, 1, 7))


def charged(*inputs: Input) -> Decoded:
    read = payloads().read("charges", inputs)
    return decode_charges([each for each in read if each is not None], NOW + 60)


def test_a_message_becomes_the_charge_that_it_is() -> None:
    (tail,) = charged(received(ROW)).batch.tails
    assert json.loads(tail + b"}") == {
        "charge": "r1", "card": CARD, "merchant": "s1", "amount": 1999, "currency": "usd",
        "created": NOW, "note": "gift",
    }  # fmt: skip


@pytest.mark.parametrize("key", [PAN, CARD])
def test_the_key_is_the_card_as_it_is_written_or_as_it_becomes(key: str) -> None:
    assert charged(received(ROW, key)).batch.cards == [CARD.encode()]


def test_another_key_is_refused_and_the_copy_is_as_it_came() -> None:
    row = ROW | {"pan": "tok_1"}
    (copy,) = charged(received(row, "r1")).rejected
    assert (copy.reason, copy.key, copy.value) == ("key", b"r1", orjson.dumps(row))


def test_no_card_number_is_in_a_copy() -> None:
    (copy,) = charged(received(ROW | {"money": {}}, PAN)).rejected
    assert copy.reason == "missing"
    assert copy.key == b"*" * 16
    assert copy.value == orjson.dumps(ROW | {"money": {}}).replace(PAN.encode(), b"*" * 16)


def test_what_is_left_out_is_neither_scored_nor_rejected() -> None:
    batch = [received(ROW), received(ROW | {"livemode": False}), received(ROW | {"ref": "r2"})]
    assert [each is None for each in payloads().read("charges", batch)] == [False, True, False]


def test_a_dispute_finds_its_charge() -> None:
    row = {"case": "d1", "ref": "r1", "time": int(NOW * 1000), "pan": PAN, "shop": "s1",
           "why": "fraudulent", "status": "lost"}  # fmt: skip
    read = payloads().read("disputes", [received(row, PAN, "disputes")])
    read += payloads().read("disputes", [received(row | {"status": "won"}, PAN, "disputes")])
    assert read[1] is None
    found = decode_disputes([each for each in read if each is not None], NOW + 60)
    assert found.batch.cards == [CARD.encode()]
    assert not found.rejected


def test_an_input_that_the_mapping_says_nothing_of_is_as_it_is() -> None:
    outcome = received({"id": "o1", "outcome": "authorized"}, topic="outcomes")
    assert payloads().read("outcomes", [outcome]) == [outcome]


def test_an_envelope_is_taken_off_first() -> None:
    change = {"before": None, "after": ROW, "op": "c", "source": {}, "ts_ms": 1}
    plain, found = charged(received(ROW)).batch, charged(received(change)).batch
    assert found.tails == plain.tails


@pytest.mark.parametrize("value", [b"no JSON", b"[]", b"5", b"", None])
def test_what_is_no_object_is_refused(value: bytes | None) -> None:
    (copy,) = charged(Input(b"k", value, Origin("charges", 1, 7))).rejected
    assert (copy.reason, copy.value) == ("json", value)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (ROW | {"money": {"total": 19.999, "currency": "USD"}}, "amount"),
        (ROW | {"time": "soon"}, "created"),
    ],
)
def test_a_value_that_cannot_be_is_named(row: dict[str, Any], said: str) -> None:
    (copy,) = charged(received(row)).rejected
    assert dict(copy.headers)["error"].decode().startswith(said)
    assert copy.reason in {"type", "range"}


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (PAGE.replace('id = "ref"', "id = { row = true }"), "a message is no row with a number"),
        ('[dispute]\ncharge = "ref"\ncreated = { from = "time", unit = "s" }\ncard = "c"\n'
         'merchant = "m"\nreason = "why"\n', "makes no charges"),
    ],
)  # fmt: skip
def test_a_mapping_that_is_none_of_messages(page: str, said: str) -> None:
    with pytest.raises(MappingError, match=said):
        payloads(page)
