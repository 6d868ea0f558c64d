"""How far chance may have moved a figure, with the charges of a card taken as one.

Sums are moved by a bootstrap over cards, as in `agents.evaluation.matured_sums`. Of a share there
is an interval in closed form, which has some width where a bootstrap has none: where all are
frauds, or none is.
"""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from agents.evaluation.matured_sums import REPLICAS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CARDS_AT_A_TIME = 2000
_Z95 = 1.959964


def replicas_by_card(
    cards: NDArray[np.uint64],
    values: NDArray[np.float64],
    seed: int = 0,
    replicas: int = REPLICAS,
) -> NDArray[np.float64]:
    """Return sums of values as they might have been, f8[replicas, K].

    Each card gets a weight from a Poisson distribution of mean 1 in each replica; the weights are
    drawn in the order of the cards, so that the same charges give the same.

    Parameters
    ----------
    cards
        u8[N], hashes of the cards.
    values
        f8[N, K].
    seed, replicas
        Of the weights, and how many are drawn of each card.
    """
    rng = np.random.default_rng(seed)
    found, places = np.unique(cards, return_inverse=True)
    by_card = np.zeros((len(found), values.shape[1]))
    np.add.at(by_card, places, values)
    sums = np.zeros((replicas, values.shape[1]))
    for start, end in pairwise([*range(0, len(found), _CARDS_AT_A_TIME), len(found)]):
        weights = rng.poisson(1.0, (end - start, replicas)).astype(np.float64)
        sums += weights.T @ by_card[start:end]
    return sums


def share_interval(cards: NDArray[np.uint64], hits: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the 95% interval of a share of charges that come by cards.

    That of Wilson (1927, "Probable inference, the law of succession, and statistical inference")
    for as many independent charges as tell as much as these do (Korn and Graubard 1998, "Confidence
    intervals for proportions with small expected number of positive counts estimated from survey
    data"). Where all are hits, or none is, that is how many cards of one size there would be (Kish
    1965, "Survey Sampling").

    Parameters
    ----------
    cards
        u8[N], hashes of the cards; N is 1 or more.
    hits
        bool[N].

    Examples
    --------
    >>> by_itself = np.arange(100, dtype=np.uint64)
    >>> [round(limit, 4) for limit in share_interval(by_itself, by_itself < 3)]
    [0.0103, 0.0845]
    """
    _, places = np.unique(cards, return_inverse=True)
    charges, found = np.bincount(places), np.bincount(places, weights=hits)
    size, share = len(hits), float(np.mean(hits))
    spread = float(np.sum((found - share * charges) ** 2)) / size
    alone = share * (1.0 - share)
    if spread > 0.0:
        effective = min(size * alone / spread, float(size))
    else:
        effective = size**2 / float(np.sum(charges.astype(np.float64) ** 2))
    square = _Z95**2 / effective
    middle = (share + square / 2.0) / (1.0 + square)
    half = _Z95 / (1.0 + square) * sqrt(alone / effective + square / (4.0 * effective))
    return max(middle - half, 0.0), min(middle + half, 1.0)
