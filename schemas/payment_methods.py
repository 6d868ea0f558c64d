"""Which payment methods are cards, by the names that payment companies give them."""

from typing import Final

# In lower case, with underscores between words. A wallet's payment is one with the card in it.
CARD_METHODS: Final = frozenset({
    "card", "cards", "bank_card", "bankcard", "payment_card", "charge_card", "scheme",
    "card_present", "card_not_present", "network_token",
    "credit", "credit_card", "creditcard", "debit", "debit_card", "debitcard",
    "prepaid", "prepaid_card",
    "visa", "visa_credit", "visa_debit", "visa_electron", "electron", "vpay", "v_pay",
    "mastercard", "master_card", "mc", "mastercard_credit", "mastercard_debit", "debit_mastercard",
    "maestro", "amex", "american_express", "americanexpress", "discover",
    "diners", "diners_club", "dinersclub", "jcb", "unionpay", "union_pay", "china_unionpay", "cup",
    "mir", "rupay", "elo", "hipercard", "hiper", "troy", "uatp", "verve", "dankort",
    "carte_bancaire", "cartes_bancaires", "cb", "bancontact_card", "interac_card",
    "eftpos", "eftpos_australia", "mada", "meeza", "carnet", "cabal", "naranja",
    "apple_pay", "applepay", "google_pay", "googlepay", "samsung_pay", "samsungpay",
})  # fmt: skip

_SEPARATORS: Final = str.maketrans(" -", "__")


def is_card_method(method: str) -> bool:
    """Whether a payment method is a card; case does not matter, nor how words are separated.

    Examples
    --------
    >>> is_card_method("CARD"), is_card_method("Credit Card"), is_card_method("sepa_debit")
    (True, True, False)
    """
    return method in CARD_METHODS or method_name(method) in CARD_METHODS


def method_name(method: str) -> str:
    """Return the name of a method in lower case, with underscores between words.

    >>> method_name("SEPA-Debit")
    'sepa_debit'
    """
    return method.lower().translate(_SEPARATORS)
