"""Control records: what is written is read, and nothing else is read."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.control import (
    Champion,
    Former,
    Loaded,
    decode_champion,
    decode_loaded,
    encode_control,
)
from schemas.rejected import InvalidEvent
from tests.schemas.test_snapshot import SNAPSHOT

DECODERS: dict[type, Callable[[bytes], object]] = {
    Champion: decode_champion,
    Loaded: decode_loaded,
}


@pytest.mark.parametrize(
    "record",
    [
        Champion("linear"),
        Champion("linear", SNAPSHOT, Former("additive")),
        Champion("linear", None, Former("additive", SNAPSHOT)),
        Loaded("0123abcd", SNAPSHOT),
    ],
)
def test_every_field_comes_back(record: Champion | Loaded) -> None:
    assert DECODERS[type(record)](encode_control(record)) == record


@pytest.mark.parametrize(
    ("decode", "value", "reason"),
    [
        (decode_champion, b"{", "json"),
        (decode_champion, b"{}", "type"),
        (decode_champion, b'{"name":"a","frozen":1}', "type"),
        (decode_loaded, b'{"id":"x","snapshot":{}}', "type"),
        (decode_loaded, encode_control(Champion("a")), "type"),
    ],
)
def test_what_is_no_record(decode: Callable[[bytes], object], value: bytes, reason: str) -> None:
    with pytest.raises(InvalidEvent, match=r"^control record: .") as raised:
        decode(value)
    assert raised.value.reason == reason


@given(st.binary(max_size=200))
def test_any_bytes(value: bytes) -> None:
    for decode in DECODERS.values():
        with pytest.raises(InvalidEvent):
            decode(value)
