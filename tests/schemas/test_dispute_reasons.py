"""Reasons of disputes: which are fraud labels, however they are written."""

from typing import Any

import pytest

from schemas.dispute_reasons import README, with_table
from schemas.validation import parse_dispute
from tests.schemas.events import DISPUTE, MAX_CREATED, encoded

# Typed from the networks' and the providers' own lists.
FRAUD_CODES = """
10.1 10.2 10.3 10.4 10.5 57 62 81 83 93 4837 4840 4849 4863 4870 4871
F10 F14 F22 F24 F29 F30 F31 FR2 UA01 UA02 UA05 UA06 UA10 UA11
"""
OTHER_CODES = """
11.1 11.2 11.3 12.1 12.6.1 12.6.2 13.1 13.2 13.3 13.6 13.7 10 10.6 1.04 104 30 41 53 72 85
4808 4834 4842 4846 4850 4853 4854 4855 4859 4860 A01 A02 A08 C02 C04 C05 C08 C14 C28 C31 P01
P05 P08 R03 R13 M01 M10 AP AW CD CR NA NF RG RM RN2 4752 488 02 0
"""
STRIPE = {
    "bank_cannot_process": False,
    "check_returned": False,
    "credit_not_processed": False,
    "customer_initiated": False,
    "duplicate": False,
    "fraudulent": True,
    "general": False,
    "incorrect_account_details": False,
    "insufficient_funds": False,
    "noncompliant": False,
    "product_not_received": False,
    "product_unacceptable": False,
    "subscription_canceled": False,
    "unrecognized": False,
}
BRAINTREE = {
    "cancelled_recurring_transaction": False,
    "credit_not_processed": False,
    "duplicate": False,
    "fraud": True,
    "general": False,
    "not_recognized": False,
    "product_not_received": False,
    "product_unsatisfactory": False,
    "transaction_amount_differs": False,
}
SQUARE = {
    "AMOUNT_DIFFERS": False,
    "CANCELLED": False,
    "CUSTOMER_REQUESTS_CREDIT": False,
    "DUPLICATE": False,
    "EMV_LIABILITY_SHIFT": True,
    "NOT_AS_DESCRIBED": False,
    "NOT_RECEIVED": False,
    "NO_KNOWLEDGE": True,
    "PAID_BY_OTHER_MEANS": False,
    "UNAUTHORIZED": True,
}
LITHIC = {
    "ATM_CASH_MISDISPENSE": False,
    "FRAUD_CARD_NOT_PRESENT": True,
    "FRAUD_CARD_PRESENT": True,
    "FRAUD_OTHER": True,
    "MISSING_AUTH": False,
    "OTHER": False,
    "PROCESSING_ERROR": False,
}
SPELLINGS = {
    "Fraudulent": True,
    "FRAUD": True,
    " fraud ": True,
    "UNAUTHORISED": True,
    "Unauthorised transaction": True,
    "No Cardholder Authorization": True,
    "NoCardholderAuthorisation": True,
    "no-cardholder-authorization": True,
    "Fraud - Card-Not-Present": True,
    "Other Fraud\N{EN DASH}Card-Absent Environment": True,
    "f29": True,
    "ua02": True,
    "Visa 10.4": True,
    "visa_10.4": True,
    "MC-4837": True,
    "Mastercard: 4837 No Cardholder Authorization": True,
    "10.4 Other Fraud - Card-Absent Environment": True,
    "UA02: Fraud - Card Not Present Transaction": True,
    "Visa 13.1": False,
    "13.1 Merchandise not received": False,
    "not fraud": False,
    "no_fraud": False,
    "81 items missing": False,
    "": False,
    " ": False,
    "visa": False,
}
TABLE = {
    **dict.fromkeys(FRAUD_CODES.split(), True),
    **dict.fromkeys(OTHER_CODES.split(), False),
    **STRIPE,
    **BRAINTREE,
    **SQUARE,
    **LITHIC,
    **SPELLINGS,
}
EARLY_WARNINGS = [
    "card_never_received",
    "fraudulent_card_application",
    "made_with_counterfeit_card",
    "made_with_lost_card",
    "made_with_stolen_card",
    "misc",
    "unauthorized_use_of_card",
    "0",
    "06",
    "D",
]


def is_fraud(**fields: Any) -> bool:
    event = {name: content for name, content in DISPUTE.items() if name != "reason"}
    dispute, _ = parse_dispute(encoded(event | fields), b"tok_1", MAX_CREATED)
    return dispute.is_fraud


@pytest.mark.parametrize(("reason", "expected"), TABLE.items())
def test_fraud_labels(reason: str, expected: bool) -> None:
    assert is_fraud(reason=reason) == expected
    assert is_fraud(reason=reason, order=7) == expected, "an unknown field makes no difference"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [(4837, True), (4837.0, True), (10.4, True), (83, True), (4853, False), (13.1, False)],
)
def test_a_code_that_is_sent_as_a_number(reason: float, expected: bool) -> None:
    assert is_fraud(reason=reason) == expected


@pytest.mark.parametrize("fraud_type", EARLY_WARNINGS)
def test_any_type_of_fraud_is_a_fraud_label(fraud_type: str) -> None:
    assert is_fraud(fraud_type=fraud_type)
    assert is_fraud(fraud_type=fraud_type, reason=None)
    assert is_fraud(fraud_type=fraud_type, reason="general")


def test_either_makes_it_a_fraud() -> None:
    assert is_fraud(fraud_type="", reason="fraudulent")
    assert is_fraud(fraud_type=None, reason="10.4", status="won")
    assert not is_fraud(fraud_type="", reason="general")
    assert is_fraud(fraud_type=0)


def test_the_table_in_the_readme_is_current() -> None:
    document = README.read_text(encoding="utf-8")
    assert document == with_table(document), "run: python -m schemas.dispute_reasons"
    table = document.partition("<!-- reasons of fraud -->")[2].partition("<!-- end of")[0]
    for code in FRAUD_CODES.split():
        assert f" {code}," in table or f" {code} |" in table
