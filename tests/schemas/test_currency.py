"""Currencies: which codes pass, and amounts on one scale."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.currency import is_currency, minor_unit_exponent, reference_amount


@given(st.one_of(st.text(max_size=5), st.from_regex("[a-zA-Z]{3}", fullmatch=True)))
@example("ﬁd")
@example("ßßß")
@example("usd\n")
@example("u d")
def test_currency_is_three_lower_case_letters(code: str) -> None:
    assert is_currency(code) == bool(re.fullmatch("[a-z]{3}", code))


@pytest.mark.parametrize(
    ("code", "digits"),
    [
        ("usd", 2),
        ("eur", 2),
        ("jpy", 0),
        ("krw", 0),
        ("isk", 0),
        ("kwd", 3),
        ("clf", 4),
        ("xyz", 2),
    ],
)
def test_digits_of_the_minor_unit(code: str, digits: int) -> None:
    assert minor_unit_exponent(code) == digits


@pytest.mark.parametrize(
    ("amount", "code", "low", "high"),
    [
        (1999, "usd", 19.99, 19.99),
        (1999, "eur", 19.99, 25.0),
        (100_000, "jpy", 600.0, 1_000.0),
        (1_000, "kwd", 3.0, 3.5),
        (1_000_000, "idr", 0.5, 0.7),
        (1_000_000, "vnd", 35.0, 45.0),
        (250, "xyz", 2.5, 2.5),
    ],
)
def test_amount_in_dollars(amount: int, code: str, low: float, high: float) -> None:
    assert low <= round(reference_amount(amount, code), 9) <= high


@given(st.integers(1, 2**53 - 1), st.sampled_from(["usd", "jpy", "bhd", "clf", "xyz"]))
def test_amounts_of_one_currency_keep_their_proportions(amount: int, code: str) -> None:
    assert reference_amount(amount, code) == pytest.approx(amount * reference_amount(1, code))
    assert reference_amount(amount, code) > 0
