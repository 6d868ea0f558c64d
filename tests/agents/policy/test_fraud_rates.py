"""Records of what tasks tell of fraud: as they are written, and what cannot be used."""

from __future__ import annotations

import pytest

from agents.policy.fraud_rates import FraudRatesBook, FraudValue, decode, encode, key_of
from schemas.rejected import InvalidEvent

GOOD = FraudValue(20_454, (10**15, 0, 1), (10**14, 0, 0))


def test_a_record_is_read_as_it_was_written() -> None:
    assert key_of(12) == b"fraud-value/12"
    assert decode(encode(GOOD)) == GOOD
    assert len(encode(GOOD)) < 100
    later = encode(GOOD)[:-1] + b',"of_a_later_version":[1]}'
    assert decode(later) == GOOD


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{}",
        b"7",
        b'{"day":1,"charged":[1,2],"disputed":[0,0,0]}',
        b'{"day":1,"charged":[1,2,3,4],"disputed":[0,0,0]}',
        b'{"day":1,"charged":[1,2,-3],"disputed":[0,0,0]}',
        b'{"day":1,"charged":[1,2,0.5],"disputed":[0,0,0]}',
        b"\xff",
    ],
)
def test_a_record_that_cannot_be_used_changes_nothing(value: bytes) -> None:
    book = FraudRatesBook()
    book.take(key_of(0), encode(GOOD))
    rates = book.rates
    with pytest.raises(InvalidEvent):
        book.take(key_of(0), value)
    assert book.rates is rates


@pytest.mark.parametrize("key", [b"partitions", b"layout/0c1d2e3f", b"", b"fraud-value"])
def test_other_records_of_the_topic_are_passed_over(key: bytes) -> None:
    book = FraudRatesBook()
    book.take(key, b"anything")
    book.take(key, None)
