"""Events as rows of numbers: what the kernels read instead of Python objects."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from xxhash import xxh3_64_intdigest, xxh3_128_digest

from schemas.addresses import address_of
from schemas.input_rules import DEFAULT_RULES
from schemas.payment_methods import is_card_method, method_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from schemas.charge import Charge
    from schemas.currency import Rates
    from schemas.dispute import Dispute
    from schemas.outcome import Outcome

CHARGE, FRAUD_DISPUTE, OTHER_DISPUTE = 0, 1, 2
AUTHORIZED, DECLINED, STOPPED, CHALLENGE_PASSED, CHALLENGE_FAILED = 3, 4, 5, 6, 7
REVIEW_FRAUD, REVIEW_GENUINE, REFUNDED, DISPUTE_WON = 8, 9, 10, 11
ANSWERED_ALLOW, ANSWERED_CHALLENGE, ANSWERED_REVIEW, ANSWERED_BLOCK = 12, 13, 14, 15

FRAUD_KINDS = (FRAUD_DISPUTE, CHALLENGE_FAILED, REVIEW_FRAUD)
"""Kinds by which the history of a card and merchant has a fraud, once for each charge."""

GENUINE_KINDS = (CHALLENGE_PASSED, REVIEW_GENUINE)
"""Kinds by which it has a genuine charge at once."""

BLOCK_KINDS = (STOPPED, ANSWERED_BLOCK)
"""Kinds by which the history of a card has a charge that was blocked, once for each charge."""

OUTCOME_KIND: dict[str, int] = {
    "authorized": AUTHORIZED,
    "declined": DECLINED,
    "blocked": STOPPED,
    "canceled": STOPPED,
    "challenge_passed": CHALLENGE_PASSED,
    "challenge_failed": CHALLENGE_FAILED,
    "challenge_abandoned": STOPPED,
    "review_fraud": REVIEW_FRAUD,
    "review_genuine": REVIEW_GENUINE,
    "refunded": REFUNDED,
    "dispute_won": DISPUTE_WON,
}
"""Kind of an outcome; of `answered` it is by its action, `ANSWERED_KIND`."""

ANSWERED_KIND = {
    "allow": ANSWERED_ALLOW,
    "challenge": ANSWERED_CHALLENGE,
    "review": ANSWERED_REVIEW,
    "block": ANSWERED_BLOCK,
}

FUNDING = {None: 0, "credit": 1, "debit": 2, "prepaid": 3}
CHANNEL = {None: 0, "online": 1, "in_person": 2, "recurring": 3}
CHECK = {None: 0, "pass": 1, "fail": 2, "unchecked": 3}
THREE_D_SECURE = {None: 0, False: 1, True: 2}
CARD_PAYMENT, OTHER_PAYMENT = 1, 2

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
COUNTRY: dict[str | None, int] = {
    None: 0,
    **{a + b: 1 + 26 * i + j for i, a in enumerate(_LETTERS) for j, b in enumerate(_LETTERS)},
}
OTHER = 65535
"""Code of a country, currency or category that has none of its own."""

CATEGORY_CODES = 1 << 24
"""Codes of what is learned by its category are below this: a float32 holds them exactly."""

_METHODS_KEPT = 4096

EVENT = np.dtype(
    [
        ("kind", "u1"),
        ("duplicate", "u1"),
        ("funding", "u1"),
        ("channel", "u1"),
        ("cvc_check", "u1"),
        ("postal_check", "u1"),
        ("three_d_secure", "u1"),
        ("payment_method", "u1"),
        ("merchant_country", "u2"),
        ("card_country", "u2"),
        ("ip_country", "u2"),
        ("mcc", "u2"),
        ("currency", "u4"),
        ("method", "u4"),
        ("created", "f8"),
        ("published", "f8"),
        ("offset", "i8"),
        ("amount", "f8"),
        ("charged_at", "f8"),
        ("labelled_at", "f8"),
        ("charge", "u8", (2,)),
        ("card", "u8"),
        ("merchant", "u8"),
        ("device", "u8"),
        ("ip", "u8"),
        ("email", "u8"),
        ("address", "u8"),
    ],
    align=True,
)
"""A charge, or a dispute or outcome of one, as `kind` tells. Code 0 and hash 0 mean "missing";
`amount` is in the reference currency.

`method` is the code of the payment method's own name, `payment_method` what kind it is. Its row in
the table of methods is told by `streams.events.methods`.

`address` is the number of `ip` if that is an IP address (`schemas.addresses`), 0 if it is a token.

`published` is when the broker had the message, Unix seconds, 0 where there is no broker: it is for
measuring latency alone, and nothing else is computed from it. `offset` is the message's, and orders
what comes of the charges of one card. `charged_at` and `labelled_at` are of a dispute or outcome,
Unix seconds, as the card stage finds them: when its charge was made, and when that was first found
to be a fraud by another, or said to be blocked if the event says so too, 0 if it was not.
"""

Rows = np.ndarray[Any, np.dtype[np.void]]


def hash_of(text: str | None) -> int:
    """Give the 64-bit hash of a token, 0 only for a missing one."""
    return 0 if text is None else xxh3_64_intdigest(text.encode()) or 1


def category_code(text: str) -> int:
    """Return the code of a category by its text, below `CATEGORY_CODES`, 0 for none.

    Codes are hashes: of a thousand categories two have the same code once in some 34 times.
    """
    return xxh3_64_intdigest(text.encode()) % (CATEGORY_CODES - 1) + 1 if text else 0


@cache
def currency_code(currency: str) -> int:
    """Return the code of a currency that has a rate, in lower case.

    >>> currency_of(currency_code("jpy"))
    'jpy'
    """
    letters = [_LETTERS.find(letter) for letter in currency.upper()]
    if len(letters) != 3 or -1 in letters:
        return OTHER
    return 1 + (letters[0] * 26 + letters[1]) * 26 + letters[2]


def currency_of(code: int) -> str:
    """Return the currency of a code, in lower case."""
    if not 0 < code <= len(_LETTERS) ** 3:
        return "another currency"
    places = (code - 1) // 676, (code - 1) // 26 % 26, (code - 1) % 26
    return "".join(_LETTERS[place] for place in places).lower()


def row_bytes(rows: np.ndarray[Any, Any]) -> list[bytes]:
    r"""Return the bytes of each row.

    >>> row_bytes(np.array([[1, 2], [3, 4]], np.uint8))
    [b'\x01\x02', b'\x03\x04']
    """
    raw = rows.tobytes()
    size = len(raw) // max(len(rows), 1)
    return [raw[i * size : (i + 1) * size] for i in range(len(rows))]


def charge_hashes(events: Rows) -> list[bytes]:
    """Return the hash of the charge that each event is, or is about."""
    return row_bytes(events["charge"])


def charge_hash(card: str, charge: str) -> bytes:
    """Return the hash of one charge, as `charge_hashes` has it."""
    return _charge_hashes([(card, charge)]).tobytes()


def charge_rows(charges: Sequence[Charge], rates: Rates = DEFAULT_RULES.rates) -> Rows:
    """Encode charges as rows.

    Parameters
    ----------
    charges
        Valid charges.
    rates
        Of their currencies, at which their amounts become one.

    Returns
    -------
    EVENT[N]
        In the same order, `kind` CHARGE, `duplicate` 0.
    """
    rows = np.zeros(len(charges), EVENT)
    rows["funding"] = [FUNDING[c.funding] for c in charges]
    rows["channel"] = [CHANNEL[c.channel] for c in charges]
    rows["cvc_check"] = [CHECK[c.cvc_check] for c in charges]
    rows["postal_check"] = [CHECK[c.postal_check] for c in charges]
    rows["three_d_secure"] = [THREE_D_SECURE[c.three_d_secure] for c in charges]
    rows["payment_method"] = [_payment_method_code(c.payment_method) for c in charges]
    rows["merchant_country"] = [COUNTRY.get(c.merchant_country, OTHER) for c in charges]
    rows["card_country"] = [COUNTRY.get(c.card_country, OTHER) for c in charges]
    rows["ip_country"] = [COUNTRY.get(c.ip_country, OTHER) for c in charges]
    rows["mcc"] = [_mcc_code(c.mcc) for c in charges]
    rows["currency"] = [currency_code(c.currency) for c in charges]
    rows["method"] = [_method_code(c.payment_method) for c in charges]
    usd = rates.usd_per_minor_unit
    rows["amount"] = [c.amount * usd[c.currency] for c in charges]
    rows["device"] = [hash_of(c.device) for c in charges]
    rows["ip"] = [hash_of(c.ip) for c in charges]
    rows["email"] = [hash_of(c.email) for c in charges]
    addresses = rows["address"]
    for place, charge in enumerate(charges):
        ip = charge.ip
        if ip and ("." in ip or ":" in ip):  # tokens and hashes cost no more than this
            addresses[place] = address_of(ip)
    rows["created"] = [c.created for c in charges]
    rows["card"] = [hash_of(c.card) for c in charges]
    rows["merchant"] = [hash_of(c.merchant) for c in charges]
    rows["charge"] = _charge_hashes((c.card, c.id) for c in charges)
    return rows


def dispute_rows(disputes: Sequence[Dispute]) -> Rows:
    """Encode disputes as rows.

    Parameters
    ----------
    disputes
        Valid disputes.

    Returns
    -------
    EVENT[N]
        In the same order; only `kind`, `created`, `charge`, `card` and `merchant` are set.
    """
    kinds = [FRAUD_DISPUTE if dispute.is_fraud else OTHER_DISPUTE for dispute in disputes]
    return _label_rows(disputes, kinds)


def outcome_rows(outcomes: Sequence[Outcome]) -> Rows:
    """Encode outcomes as rows, EVENT[N], as `dispute_rows` does."""
    return _label_rows(outcomes, [_outcome_kind(outcome) for outcome in outcomes])


def _label_rows(labels: Sequence[Dispute] | Sequence[Outcome], kinds: Sequence[int]) -> Rows:
    rows = np.zeros(len(labels), EVENT)
    rows["kind"] = kinds
    rows["created"] = [label.created for label in labels]
    rows["card"] = [hash_of(label.card) for label in labels]
    rows["merchant"] = [hash_of(label.merchant) for label in labels]
    rows["charge"] = _charge_hashes((label.card, label.charge) for label in labels)
    return rows


def _outcome_kind(outcome: Outcome) -> int:
    if outcome.action is not None and outcome.outcome == "answered":
        return ANSWERED_KIND[outcome.action]
    return OUTCOME_KIND[outcome.outcome]


def _payment_method_code(method: str | None) -> int:
    if method is None:
        return 0
    return CARD_PAYMENT if is_card_method(method) else OTHER_PAYMENT


@lru_cache(_METHODS_KEPT)
def _method_code(method: str | None) -> int:
    if method is None:
        return 0
    return category_code(method if is_card_method(method) else method_name(method))


def _mcc_code(mcc: int | None) -> int:
    if mcc is None:
        return 0
    return mcc if 0 < mcc < OTHER else OTHER


def _charge_hashes(ids: Iterable[tuple[str, str]]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Hash (card, charge id) pairs to u8[N, 2]; an id is only unique within its card's key."""
    digests = b"".join(xxh3_128_digest(f"{card}\0{charge}".encode()) for card, charge in ids)
    return np.frombuffer(digests, ">u8").reshape(-1, 2).astype(np.uint64)
