"""Rows of numbers say what the events said."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from schemas.charge import Charge
from schemas.dispute import Dispute
from schemas.outcome import Outcome
from streams.events.rows import (
    ANSWERED_ALLOW,
    ANSWERED_BLOCK,
    ANSWERED_CHALLENGE,
    ANSWERED_REVIEW,
    AUTHORIZED,
    CHALLENGE_FAILED,
    CHALLENGE_PASSED,
    CHARGE,
    COUNTRY,
    DECLINED,
    DISPUTE_WON,
    FRAUD_DISPUTE,
    OTHER,
    OTHER_DISPUTE,
    REFUNDED,
    REVIEW_FRAUD,
    REVIEW_GENUINE,
    STOPPED,
    charge_rows,
    dispute_rows,
    hash_of,
    outcome_rows,
)

BARE = Charge("charge_1", 12.5, 1999, "usd", "card_1", "merchant_1")


def with_field(name: str, value: object) -> Charge:
    return msgspec.structs.replace(BARE, **{name: value})


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("funding", ["credit", "debit", "prepaid"]),
        ("channel", ["online", "in_person", "recurring"]),
        ("cvc_check", ["pass", "fail", "unchecked"]),
        ("postal_check", ["pass", "fail", "unchecked"]),
        ("three_d_secure", [False, True]),
        ("payment_method", ["card", "sepa_debit"]),
        ("merchant_country", ["US", "FR", "ZZ", "T1"]),
        ("card_country", ["US", "FR", "ZZ", "T1"]),
        ("ip_country", ["US", "FR", "ZZ", "T1"]),
        ("mcc", [1, 5411, 9999]),
        ("device", ["a", "b", "é"]),
        ("ip", ["a", "b"]),
        ("email", ["a", "b"]),
    ],
)
def test_missing_is_a_value_of_its_own(name: str, values: list[object]) -> None:
    """Code 0, and no other value has it; different values have different codes."""
    rows = charge_rows([with_field(name, value) for value in [None, *values]])
    codes = rows[name].tolist()
    assert codes[0] == 0
    assert len(set(codes)) == len(codes)
    bare = charge_rows([BARE])
    own = {name, "method"} if name == "payment_method" else {name}
    others = [field for field in rows.dtype.names or () if field not in own]
    assert all((rows[field] == bare[field]).all() for field in others)


def test_an_address_is_a_number_beside_its_hash() -> None:
    texts = [None, "ip_1", "f" * 64, "10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "2001:db8::2"]
    rows = charge_rows([with_field("ip", text) for text in texts])
    network = 0x2001_0DB8 << 32
    assert rows["address"].tolist() == [0, 0, 0, 10 << 24 | 1, 10 << 24 | 1, network, network]
    assert rows["ip"].tolist() == [hash_of(text) for text in texts]


def test_every_name_of_a_card_is_a_card() -> None:
    names = [
        "card", "CARD", "Card", "visa", "VISA", "mastercard", "amex", "credit_card", "Credit Card",
        "debit-card", "card_present", "American Express", "unionpay", "apple_pay",
    ]  # fmt: skip
    others = ["sepa_debit", "ideal", "klarna", "giftcard_voucher", "paypal", "cardless", "x card"]
    rows = charge_rows([with_field("payment_method", name) for name in [*names, *others]])
    assert rows["payment_method"].tolist() == [1] * len(names) + [2] * len(others)


def test_codes_that_are_not_known_share_one() -> None:
    assert charge_rows([with_field("ip_country", "us")])["ip_country"][0] == OTHER
    assert charge_rows([with_field("mcc", 0)])["mcc"][0] == OTHER
    assert max(COUNTRY.values()) < OTHER
    assert len(set(COUNTRY.values())) == 1 + 26 * 26


def test_disputes_meet_their_charges() -> None:
    """By a hash of card and charge id, so that ids need only be unique within a card."""
    charges = charge_rows(
        [Charge(i, 1.0, 5, "usd", card, "m") for card in ("a", "ab") for i in ("1", "b1", "2")]
    )
    hashes = charges["charge"].tolist()
    assert len({tuple(pair) for pair in hashes}) == 6
    disputes = dispute_rows(
        [
            Dispute("d1", "1", "a", "m", 9.5, "fraudulent"),
            Dispute("d2", "2", "ab", "m", 9.0, "general"),
        ]
    )
    assert disputes["charge"].tolist() == [hashes[0], hashes[5]]
    assert disputes["card"].tolist() == [charges["card"][0], charges["card"][5]]
    assert disputes["merchant"].tolist() == [hash_of("m")] * 2
    assert disputes["kind"].tolist() == [FRAUD_DISPUTE, OTHER_DISPUTE]
    assert disputes["created"].tolist() == [9.5, 9.0]
    assert charges["kind"].tolist() == [CHARGE] * 6


@pytest.mark.parametrize(
    ("outcome", "action", "kind"),
    [
        ("authorized", None, AUTHORIZED),
        ("authorized", "block", AUTHORIZED),
        ("declined", None, DECLINED),
        ("blocked", None, STOPPED),
        ("blocked", "allow", STOPPED),
        ("canceled", None, STOPPED),
        ("challenge_passed", None, CHALLENGE_PASSED),
        ("challenge_failed", None, CHALLENGE_FAILED),
        ("challenge_abandoned", None, STOPPED),
        ("review_fraud", None, REVIEW_FRAUD),
        ("review_genuine", None, REVIEW_GENUINE),
        ("refunded", None, REFUNDED),
        ("dispute_won", None, DISPUTE_WON),
        ("answered", "allow", ANSWERED_ALLOW),
        ("answered", "challenge", ANSWERED_CHALLENGE),
        ("answered", "review", ANSWERED_REVIEW),
        ("answered", "block", ANSWERED_BLOCK),
    ],
)
def test_outcomes_meet_their_charges(outcome: Any, action: Any, kind: int) -> None:
    """As disputes do; an action counts only where it is what was answered."""
    charges = charge_rows([Charge(name, 1.0, 5, "usd", "a", "m") for name in ("1", "2")])
    rows = outcome_rows([Outcome("o1", "2", "a", "m", 9.5, outcome, action)])
    assert rows["charge"].tolist() == charges["charge"].tolist()[1:]
    assert rows["card"].tolist() == [hash_of("a")]
    assert rows["merchant"].tolist() == [hash_of("m")]
    assert rows["created"].tolist() == [9.5]
    assert rows["kind"].tolist() == [kind]
    assert kind not in (CHARGE, FRAUD_DISPUTE, OTHER_DISPUTE)


def test_amounts_are_in_one_currency() -> None:
    rows = charge_rows(
        [with_field("currency", currency) for currency in ("usd", "jpy", "kwd", "eur")]
    )
    assert rows["amount"] == pytest.approx([19.99, 1999 * 0.00635, 1.999 * 3.239, 19.99 * 1.136])


def test_empty_batches_are_rows_too() -> None:
    assert len(charge_rows([])) == len(dispute_rows([])) == len(outcome_rows([])) == 0
    assert charge_rows([]).dtype == dispute_rows([]).dtype == charge_rows([BARE]).dtype
    assert outcome_rows([]).dtype == dispute_rows([]).dtype
    assert isinstance(charge_rows([BARE]), np.ndarray)
