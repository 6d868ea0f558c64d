"""Charges in columns, before they become JSON."""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

MISSING = -1
"""Code of a value that is not known, in the columns of small codes."""


class Channel(IntEnum):
    """Codes of `channel`."""

    ONLINE = 0
    IN_PERSON = 1
    RECURRING = 2


class Check(IntEnum):
    """Codes of `cvc_check` and `postal_check`."""

    PASS = 0
    FAIL = 1
    UNCHECKED = 2


ROW = np.dtype(
    [
        ("created", "f8"),  # Unix seconds
        ("card", "i4"),  # index into the cards
        ("merchant", "i4"),  # index into the merchants
        ("amount", "i8"),  # minor units of the merchant's currency
        ("device", "u8"),  # token, 0 for none
        ("ip", "u8"),  # token, 0 for none
        ("email", "u8"),  # token, 0 for none
        ("ip_country", "i1"),  # index into COUNTRIES
        ("channel", "i1"),
        ("cvc_check", "i1"),
        ("postal_check", "i1"),
        ("three_d_secure", "i1"),  # 0 or 1
        ("pattern", "i1"),  # 0 for a genuine charge, else 1 + index into PATTERNS
    ],
    align=True,
)

Rows = npt.NDArray[np.void]


def blank_rows(
    created: npt.NDArray[np.float64],
    card: npt.NDArray[np.integer],
    merchant: npt.NDArray[np.integer],
) -> Rows:
    """Return rows with everything optional missing, in person, of no amount yet."""
    rows = np.zeros(len(created), dtype=ROW)
    rows["created"] = created
    rows["card"] = card
    rows["merchant"] = merchant
    rows["channel"] = Channel.IN_PERSON
    for name in ("ip_country", "cvc_check", "postal_check", "three_d_secure"):
        rows[name] = MISSING
    return rows
