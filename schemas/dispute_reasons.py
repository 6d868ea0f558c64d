"""Which reasons of disputes are fraud labels: the one table, and its place in this folder's README.

`python -m schemas.dispute_reasons` writes the table there after a change; a test fails when it was
forgotten.
"""

import re
from pathlib import Path
from typing import Final

from schemas.generated_part import with_part

README: Final = Path(__file__).with_name("README.md")

_CODES: Final = {
    "Visa": "10.1 10.2 10.3 10.4 10.5",
    "Visa, before 2018": "57 62 75 81 83 93",
    "Mastercard": "4837 4840 4847 4849 4862 4863 4870 4871",
    "American Express": "F10 F14 F22 F24 F29 F30 F31 FR2 FR4 FR6",
    "American Express, older": "4527 4540 4798 4799",
    "Discover, Diners Club": "UA01 UA02 UA03 UA05 UA06 UA10 UA11 UA12 UA18 UA20 UA21 UA22 UA23 "
    "UA28 UA30 UA31 UA32 UA38 UA99",
    "Discover, older": "4866 4867 7010 7030",
    "JCB": "526 527 534 546 548",
    "UnionPay": "4514 4562",
    "SEPA direct debit": "MD01",
}
"""The networks' codes in their categories of fraud. A code means the same at every network here.

MD01 says that there was no mandate: the debit was not authorised. MD06, a refund that the payer
asks for without a reason, says nothing of fraud."""

_WORDS: Final = (
    "fraud",
    "fraudulent",
    "fraudulent_transaction",
    "fraudulent_transactions",
    "fraudulent_multiple_transactions",
    "fraudulent_processing_of_transactions",
    "fraudulent_card_application",
    "card_present_fraud",
    "card_not_present_fraud",
    "card_absent_fraud",
    "fraud_card_present",
    "fraud_card_not_present",
    "fraud_card_absent",
    "fraud_card_present_environment",
    "fraud_card_absent_environment",
    "fraud_other",
    "other_fraud_card_present_environment",
    "other_fraud_card_absent_environment",
    "other_fraud_card_present_environment_condition",
    "counterfeit_fraud",
    "counterfeit_card",
    "counterfeit_transaction",
    "potential_fraud",
    "cardholder_does_not_recognize_potential_fraud",
    "familiar_fraud",
    "chip_liability_shift",
    "emv_liability_shift",
    "emv_liability_shift_counterfeit_fraud",
    "emv_liability_shift_non_counterfeit_fraud",
    "visa_fraud_monitoring_program",
    "no_cardholder_authorization",
    "no_card_member_authorization",
    "no_knowledge",
    "unauthorized",
    "unauthorized_charge",
    "unauthorized_multiple_transactions",
    "unauthorized_payment",
    "unauthorized_purchase",
    "unauthorized_transaction",
    "unauthorized_use",
    "unauthorized_use_of_card",
    "card_never_received",
    "lost_card",
    "stolen_card",
    "lost_or_stolen_card",
    "lost_card_transactions",
    "stolen_card_transactions",
    "made_with_counterfeit_card",
    "made_with_lost_card",
    "made_with_stolen_card",
    "account_takeover",
    "identity_theft",
)
"""The words of payment providers, early warnings and networks for the same."""

_NETWORK: Final = re.compile(
    "(?:visa|mastercard|master card|mc|american express|amex|discover|diners(?: club)?|jcb|"
    "unionpay)[ _:/-]+"
)
_NOT_SPELLED: Final = re.compile("[^0-9a-z.]+")


def _spelling(text: str) -> str:
    """Return what is left of a word when its case, separators and British spelling are not told."""
    return (
        _NOT_SPELLED.sub("", text.lower())
        .replace("authoris", "authoriz")
        .replace("recognis", "recogniz")
    )


_FRAUD_CODES: Final = frozenset(
    _spelling(code) for codes in _CODES.values() for code in codes.split()
)
_FRAUD: Final = _FRAUD_CODES | {_spelling(word) for word in _WORDS}


def is_fraud_reason(reason: str) -> bool:
    """Whether the reason of a dispute is a fraud label.

    Case, spaces, hyphens and underscores do not matter; a code may have its network before it, and
    its meaning after it.

    Examples
    --------
    >>> [is_fraud_reason(r) for r in ("Fraudulent", "10.4", "Mastercard 4837", "UA02: card absent")]
    [True, True, True, True]
    >>> [is_fraud_reason(reason) for reason in ("general", "13.1", "unrecognized", "104", "")]
    [False, False, False, False, False]
    """
    text = _NETWORK.sub("", reason.strip().lower(), count=1)
    first = re.split(r"[\s:;,(]", text, maxsplit=1)[0]
    return _spelling(text) in _FRAUD or (first in _FRAUD_CODES and len(first) > 2)


def with_table(document: str) -> str:
    """Return the document with the table of now between its markers."""
    lines = ["| whose | fraud labels |", "| --- | --- |"]
    lines += [f"| {network} | {', '.join(codes.split())} |" for network, codes in _CODES.items()]
    lines.append(f"| words | {', '.join(f'`{word}`' for word in _WORDS)} |")
    return with_part(document, "reasons of fraud", "".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
