"""Entries of lists: what is written is read, and nothing else is read."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.lists import (
    ListEntry,
    Removed,
    decode_list_change,
    decode_list_entry,
    encode_list_entry,
    list_key,
)
from schemas.rejected import InvalidEvent

BARE = ListEntry(list="cards", value="tok_1", at=5.0, version=1)
FULL = ListEntry(
    list="Risky-places_2",
    value="10.0.0.0/8",
    start=20.0,
    until=30.0,
    note="seen in March",
    by="ann",
    at=5.5,
    version=3,
    earlier=((1.0, 2.0), (2.0, 20.0)),
)


@pytest.mark.parametrize("entry", [BARE, FULL])
def test_every_field_comes_back(entry: ListEntry) -> None:
    key = list_key(entry.list, entry.value)
    assert decode_list_entry(key, encode_list_entry(entry)) == entry
    assert decode_list_change(key, encode_list_entry(entry)) == entry


def test_fields_have_their_names_in_json() -> None:
    assert set(json.loads(encode_list_entry(FULL))) == {
        "list", "value", "from", "until", "note", "by", "at", "version", "earlier",
    }  # fmt: skip
    assert set(json.loads(encode_list_entry(BARE))) == {"list", "value", "at", "version"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"list": ""}, "type"), ({"list": "a b"}, "type"), ({"list": "a:b"}, "type"),
        ({"list": "a\n"}, "type"), ({"list": "ä"}, "type"), ({"list": "a" * 65}, "type"),
        ({"value": ""}, "type"), ({"value": "a" * 257}, "type"), ({"value": "a\nb"}, "range"),
        ({"value": "a\u202eb"}, "range"), ({"value": "4242 4242 4242 4242"}, "card_number"),
        ({"value": "10.0.0.1/8"}, "range"), ({"value": "2001:db8::/96"}, "range"),
        ({"until": 0.0}, "range"), ({"start": 5.0, "until": 5.0}, "range"),
        ({"start": -1.0}, "type"), ({"start": float("nan")}, "type"),
        ({"start": float("inf")}, "type"),
        ({"start": 5.0, "earlier": ((1.0, 6.0),)}, "range"),
        ({"start": 9.0, "earlier": ((1.0, 1.0),)}, "range"),
        ({"start": 9.0, "earlier": ((5.0, 6.0), (1.0, 2.0))}, "range"),
        ({"start": 9e9, "earlier": tuple((n, n + 0.5) for n in range(101))}, "type"),
        ({"version": 0}, "type"), ({"at": -1.0}, "type"), ({"note": "a" * 1025}, "type"),
    ],
)  # fmt: skip
def test_what_is_no_entry(changes: dict[str, Any], reason: str) -> None:
    entry = msgspec.structs.replace(BARE, **changes)
    key = list_key(entry.list, entry.value)
    with pytest.raises(InvalidEvent, match=r"^list entry: ") as read:
        decode_list_entry(key, msgspec.json.encode(entry))
    with pytest.raises(InvalidEvent) as written:
        encode_list_entry(entry)
    assert read.value.reason == written.value.reason == reason
    assert "4242" not in str(read.value)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (b"cards:tok_1", b"{", "json"),
        (b"cards:tok_1", b"{}", "type"),
        (b"cards:tok_1", encode_list_entry(BARE)[:-1] + b',"more":1}', "type"),
        (b"cards:tok_2", encode_list_entry(BARE), "key"),
        (b"others:tok_1", encode_list_entry(BARE), "key"),
        (b"tok_1", encode_list_entry(BARE), "key"),
        (None, encode_list_entry(BARE), "key"),
        (None, None, "key"), (b"", None, "key"), (b"cards", None, "key"), (b"cards:", None, "key"),
        (b":tok_1", None, "key"), (b"a b:tok_1", None, "key"), (b"cards:\xff", None, "key"),
    ],
)  # fmt: skip
def test_what_is_no_message(key: bytes | None, value: bytes | None, reason: str) -> None:
    with pytest.raises(InvalidEvent, match=r"^list entry: ") as raised:
        decode_list_change(key, value)
    assert raised.value.reason == reason


@given(st.text(min_size=1, max_size=20).filter(str.isprintable))
def test_a_key_tells_list_and_value(value: str) -> None:
    assert decode_list_change(list_key("a-b", value), None) == Removed("a-b", value)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes(key: bytes, value: bytes) -> None:
    with pytest.raises(InvalidEvent):
        decode_list_entry(key, value)
