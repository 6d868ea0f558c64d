"""The events of the contract, as a producer would write them."""

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

NOW = 1_767_225_600.0
MAX_CREATED = NOW + 600.0

CHARGE: Mapping[str, Any] = {
    "id": "ch_1",
    "created": NOW + 0.25,
    "amount": 1999,
    "currency": "usd",
    "card": "tok_1",
    "merchant": "m_1",
}
OPTIONAL: Mapping[str, Any] = {
    "mcc": 5541,
    "merchant_country": "US",
    "card_country": "DE",
    "ip_country": "JP",
    "funding": "prepaid",
    "channel": "in_person",
    "payment_method": "sepa_debit",
    "device": "dev_1",
    "ip": "ip_1",
    "email": "em_1",
    "cvc_check": "pass",
    "postal_check": "unchecked",
    "three_d_secure": False,
}
DISPUTE: Mapping[str, Any] = {
    "id": "dp_1",
    "charge": "ch_1",
    "card": "tok_1",
    "merchant": "m_1",
    "created": NOW,
    "reason": "fraudulent",
}
OUTCOME: Mapping[str, Any] = {
    "id": "oc_1",
    "charge": "ch_1",
    "card": "tok_1",
    "merchant": "m_1",
    "created": NOW,
    "outcome": "authorized",
}
ANSWERED: Mapping[str, Any] = {**OUTCOME, "outcome": "answered", "action": "challenge"}
OUTCOMES = [
    "authorized", "declined", "blocked", "canceled", "challenge_passed", "challenge_failed",
    "challenge_abandoned", "review_fraud", "review_genuine", "refunded", "dispute_won", "answered",
]  # fmt: skip
ACTIONS = ["allow", "challenge", "review", "block"]


def encoded(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event).encode()


# Short, so that no card number comes about.
words = st.text(max_size=12)
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        words,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=5,
)
