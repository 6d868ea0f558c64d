"""Snapshots: what is written is read, bit for bit, and nothing else is read."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rejected import InvalidEvent
from schemas.snapshot import Snapshot, decode_snapshot, encode_snapshot

SNAPSHOT = Snapshot("fraud", "linear", "linear-0000000001", 7, 5, 1.5, ("amount",), {"bias": 0.1})


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_weights_come_back_bit_for_bit(weights: list[float]) -> None:
    snapshot = Snapshot("fraud", "linear", "v", 0, 0, 0.0, (), {"weights": weights})
    read = decode_snapshot(encode_snapshot(snapshot))
    form = f"{len(weights)}d"
    assert struct.pack(form, *read.state["weights"]) == struct.pack(form, *weights)


def test_every_field_comes_back() -> None:
    assert decode_snapshot(encode_snapshot(SNAPSHOT)) == SNAPSHOT


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "json"),
        (b"{", "json"),
        (b'{"name":"\xff"}', "json"),
        (b'{"state":{"a":' + b"[" * 100_000, "json"),
        (b"[]", "type"),
        (b"{}", "type"),
        (encode_snapshot(SNAPSHOT).replace(b'"offset":7', b'"offset":-7'), "type"),
        (encode_snapshot(SNAPSHOT) + b"x", "json"),
        (encode_snapshot(SNAPSHOT).replace(b'["amount"]', b'"amount"'), "type"),
    ],
)
def test_what_is_no_snapshot(value: bytes, reason: str) -> None:
    with pytest.raises(InvalidEvent, match=r"^snapshot: .") as raised:
        decode_snapshot(value)
    assert raised.value.reason == reason


@given(st.binary(max_size=200))
def test_any_bytes(value: bytes) -> None:
    with pytest.raises(InvalidEvent):
        decode_snapshot(value)
