"""The ways to divide charges that an evaluation looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents.evaluation.outcomes import Segment
from streams.events.rows import CHANNEL, COUNTRY, OTHER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_UNKNOWN = "not given"

_CHANNELS = [name or _UNKNOWN for name in CHANNEL]
_COUNTRIES = [name or _UNKNOWN for name in COUNTRY]


def channel(codes: NDArray[np.uint8]) -> Segment:
    """Divide by the code of `channel`."""
    return Segment(_CHANNELS, codes)


def country(codes: NDArray[np.uint16]) -> Segment:
    """Divide by the code of a country.

    >>> segment = country(np.array([0, 1, 65535], np.uint16))
    >>> [segment.names[part] for part in segment.part.tolist()]
    ['not given', 'AA', 'other']
    """
    part = np.where(codes == OTHER, len(_COUNTRIES), codes)
    return Segment([*_COUNTRIES, "other"], part)


def amount_band(amount: NDArray[np.float64]) -> Segment:
    """Divide by amount, in the reference currency.

    >>> segment = amount_band(np.array([9.99, 10.0, 5000.0]))
    >>> [segment.names[part] for part in segment.part.tolist()]
    ['below $10', '$10 to $50', '$1,000 and above']
    """
    names = ["below $10", "$10 to $50", "$50 to $100", "$100 to $250", "$250 to $1,000"]
    return _bands(amount, [10.0, 50.0, 100.0, 250.0, 1000.0], [*names, "$1,000 and above"])


def merchant_size(merchant: NDArray[np.uint64], days: float) -> Segment:
    """Divide by the merchant's charges a day, over the `days` in which all charges were made.

    >>> segment = merchant_size(np.array([7, 7, 7, 8], np.uint64), days=2.0)
    >>> [segment.names[part] for part in segment.part.tolist()]
    ['1 to 10 a day', '1 to 10 a day', '1 to 10 a day', 'below 1 a day']
    """
    _, place, charges = np.unique(merchant, return_inverse=True, return_counts=True)
    names = ["below 1 a day", "1 to 10 a day", "10 to 100 a day", "100 to 1,000 a day"]
    limits = [1.0, 10.0, 100.0, 1000.0]
    return _bands((charges / days)[place], limits, [*names, "1,000 a day and more"])


def card_history(first_of_card: NDArray[np.bool_]) -> Segment:
    """Divide into the first charges of their cards and all others."""
    return Segment(["seen before", "new"], first_of_card.astype(np.uint8))


def _bands(values: NDArray[np.float64], limits: Sequence[float], names: Sequence[str]) -> Segment:
    return Segment(names, np.searchsorted(limits, values, side="right").astype(np.uint8))
