"""The risk of a charge: the place of its score among those of recent charges, from 0 to 99.

A score is a probability, so a threshold on it means the same whichever model scores. How many
charges lie above it does change, with the season, the merchant mix or a better model. A threshold
on the risk keeps its share instead: of all charges, about one in a hundred has each value. The
reference moves slowly: it is the distribution that the calibration counts over the last weeks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streams.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

HIGHEST = 99


class Reference(NamedTuple):
    """A distribution of scores: what share of the charges has at most each of these log-odds.

    Attributes
    ----------
    log_odds, shares
        Rising, of one length; between two of them the distribution is a straight line.
    """

    log_odds: NDArray[np.float64]
    shares: NDArray[np.float64]

    def risks(self, scores: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return the risk of each score.

        >>> USUAL.risks(np.array([0.0, 0.003, 0.02, 1.0])).tolist()
        [1, 23, 95, 99]
        """
        risks: NDArray[np.uint8] = _risks(scores, self.log_odds, self.shares)
        return risks

    def share_up_to(self, log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the share of the charges with at most these log-odds."""
        share: NDArray[np.float64] = np.interp(log_odds, self.log_odds, self.shares)
        return share


@compiled
def _risks(
    scores: NDArray[np.float64], log_odds: NDArray[np.float64], shares: NDArray[np.float64]
) -> NDArray[np.uint8]:
    risks = np.empty(len(scores), np.uint8)
    for i in range(len(scores)):
        at = np.log(scores[i]) - np.log1p(-scores[i])
        place = min(max(np.searchsorted(log_odds, at), 1), len(log_odds) - 1)
        below, above = log_odds[place - 1], log_odds[place]
        way = (min(max(at, below), above) - below) / (above - below)
        share = shares[place - 1] + way * (shares[place] - shares[place - 1])
        risks[i] = min(max(int((HIGHEST + 1) * share), 0), HIGHEST)
    return risks


USUAL = Reference(
    np.array([-6.8, -6.15, -5.82, -5.8, -5.65, -5.1, -4.45, -4.1, -2.9, 0.0]),
    np.array([0.01, 0.05, 0.1, 0.3, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0]),
)
"""How the scores of the prior lie on 180 days of card payments and on simulated ones, which agree
within five percent of the charges at each of these places."""
