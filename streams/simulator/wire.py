"""Rows of charges as the dicts that go on the wire."""

from typing import Final

import numpy as np

from streams.simulator.cards import Cards
from streams.simulator.ids import ids, optional_ids
from streams.simulator.merchants import OPTIONAL_FIELDS, Merchants
from streams.simulator.randomness import U64
from streams.simulator.rows import Rows
from streams.simulator.world import COUNTRIES, KINDS

Value = dict[str, object]

_NAMES: Final = ("id", "created", "amount", "currency", "card", "merchant", *OPTIONAL_FIELDS)
# In these tables the last entry answers to the code -1, missing.
_COUNTRY: Final = np.array([*(c.code for c in COUNTRIES), None], dtype=object)
_CURRENCY: Final = np.array([c.currency for c in COUNTRIES], dtype=object)
_MCC: Final = np.array([kind.mcc for kind in KINDS], dtype=object)
_FUNDING: Final = np.array(["credit", "debit", "prepaid"], dtype=object)
_CHANNEL: Final = np.array(["online", "in_person", "recurring"], dtype=object)
_CHECK: Final = np.array(["pass", "fail", "unchecked", None], dtype=object)
_NOTHING: Final = np.array(None, dtype=object)
_FLAG: Final = np.array([False, True, None], dtype=object)


def charge_values(rows: Rows, tokens: U64, cards: Cards, merchants: Merchants) -> list[Value]:
    """Return each row as a charge event, without the fields that are missing or not sent.

    Parameters
    ----------
    rows
        The charges.
    tokens
        Shape (rows,): what each charge's id is made from.
    cards, merchants
        The population the rows point into.
    """
    card, merchant = rows["card"], rows["merchant"]
    country = merchants.country[merchant]
    optional = (
        _MCC[merchants.kind[merchant]],
        _COUNTRY[country],
        _COUNTRY[cards.country[card]],
        _COUNTRY[rows["ip_country"]],
        _FUNDING[cards.funding[card]],
        _CHANNEL[rows["channel"]],
        np.full(len(rows), "card", dtype=object),
        np.array(optional_ids("dev_", rows["device"]), dtype=object),
        np.array(optional_ids("ip_", rows["ip"]), dtype=object),
        np.array(optional_ids("em_", rows["email"]), dtype=object),
        _CHECK[rows["cvc_check"]],
        _CHECK[rows["postal_check"]],
        _FLAG[rows["three_d_secure"]],
    )
    sent = merchants.sends[merchant]
    columns = [
        ids("ch_", tokens),
        rows["created"].tolist(),
        rows["amount"].tolist(),
        _CURRENCY[country].tolist(),
        [cards.ids[i] for i in card.tolist()],
        [merchants.ids[i] for i in merchant.tolist()],
        *(np.where(sent[:, i], column, _NOTHING).tolist() for i, column in enumerate(optional)),
    ]
    return [
        {name: value for name, value in zip(_NAMES, row, strict=True) if value is not None}
        for row in zip(*columns, strict=True)
    ]
