"""Charges counted by what is known of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import numpy as np

from agents.evaluation.trial.labels import FRAUD, GENUINE, LABELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.evaluation.trial.tried import Tried


class Counts(TypedDict):
    """Some charges: how many, how many of them are what, and their amount."""

    charges: int
    frauds: int
    genuine: int
    unknown: int
    amount: float


def counts_of(tried: Tried, chosen: NDArray[np.bool_]) -> Counts:
    """Count some of the charges, bool[N]."""
    found = np.bincount(tried.labels[chosen], minlength=len(LABELS)).tolist()
    charges = sum(found)
    return Counts(
        charges=charges,
        frauds=found[FRAUD],
        genuine=found[GENUINE],
        unknown=charges - found[FRAUD] - found[GENUINE],
        amount=float(tried.charges["amount"][chosen].sum()),
    )
