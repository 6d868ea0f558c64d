"""Rejected inputs: their headers, and that no message shows a card number."""

from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rejected import InvalidEvent, RejectedHeaders, RejectReason, rejected_headers
from tests.schemas import reference


@pytest.mark.parametrize("offset", [0, 41, 2**63 - 1])
def test_headers(offset: int) -> None:
    error = InvalidEvent("type", "currency: expected text, got «5»")
    headers = rejected_headers(error, "eu.charges", 11, offset)
    assert headers == [
        ("error", "currency: expected text, got «5»".encode()),
        ("topic", b"eu.charges"),
        ("partition", b"11"),
        ("offset", str(offset).encode()),
    ]
    described = msgspec.convert({name: value.decode() for name, value in headers}, RejectedHeaders)
    assert described.topic == "eu.charges"


@given(
    st.text(max_size=20),
    st.text("0123456789", min_size=11, max_size=17)
    .map(lambda digits: reference.with_check_digit(f"4{digits}"))
    .filter(reference.is_card_number),
    st.text(max_size=20),
)
def test_message_shows_no_card_number(before: str, number: str, after: str) -> None:
    error = InvalidEvent("range", f"{before} {number} {after}")
    shown = [str(error), repr(error)]
    shown += [value.decode() for _, value in rejected_headers(error, "charges", 0, 0)]
    assert not any(number in text for text in shown)
    assert not any(map(reference.card_numbers, shown))


def test_reasons_are_metric_labels() -> None:
    assert all(reason.isidentifier() and reason.islower() for reason in get_args(RejectReason))
