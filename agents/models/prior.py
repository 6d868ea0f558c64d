"""The prior: what scores charges before any model has seen enough labels.

Fixed log-odds around a fixed base rate, nothing learned. The signs and rough sizes are common
knowledge of card fraud: failed checks, countries that do not match, unusual amounts, bursts, and a
merchant or card with fraud behind it. It is meant to rank sensibly on day one and to be replaced
by the first model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agents.models.kernels import sigmoid, transform
from agents.models.risk import USUAL
from agents.models.transforms import transform_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streams.features.spec import Feature

VERSION = "prior"

BASE_RATE = 0.003
"""Share of charges disputed as fraudulent, the middle of the usual 0.1% to 1%."""


@dataclass(frozen=True, slots=True)
class Term:
    """Log-odds that one feature adds: ``slope * (value - usual)`` within `lowest` and `highest`.

    `value` is the feature after its transform (log1p of counts, sums and times).
    """

    feature: str
    usual: float
    slope: float
    lowest: float
    highest: float


TERMS: tuple[Term, ...] = (
    Term("cvc_check_fail", 0.0, 1.0, 0.0, 1.0),
    Term("postal_check_fail", 0.0, 0.7, 0.0, 0.7),
    Term("three_d_secure_yes", 0.0, -1.0, -1.0, 0.0),
    Term("ip_country_is_not_card_country", 0.0, 0.8, 0.0, 0.8),
    Term("merchant_country_is_not_card_country", 0.0, 0.5, 0.0, 0.5),
    Term("card_amount_log_ratio", 0.0, 0.8, 0.0, 2.5),
    Term("card_count_10m", math.log1p(1.0), 0.8, 0.0, 2.0),
    Term("card_fraud_disputes", 0.0, 1.0, 0.0, 1.5),
    Term("merchant_dispute_share_30d", BASE_RATE, 20.0, 0.0, 3.0),
    Term("merchant_fraud_share_last_10", 0.0, 6.0, 0.0, 4.0),
)
"""The whole prior. Terms whose feature does not exist add nothing."""


class PriorScorer:
    """Scores batches with `TERMS`.

    Parameters
    ----------
    features
        The columns of the vectors it will be given.
    terms
        What each named feature adds.
    """

    version = VERSION

    def __init__(self, features: Sequence[Feature], terms: Sequence[Term] = TERMS) -> None:
        columns = {feature.name: column for column, feature in enumerate(features)}
        known = [term for term in terms if term.feature in columns]
        self._width = len(features)
        self._columns = np.array([columns[term.feature] for term in known], np.intp)
        self._codes = transform_codes([features[column] for column in self._columns])
        self._usual = np.array([term.usual for term in known])
        self._slope = np.array([term.slope for term in known])
        self._lowest = np.array([term.lowest for term in known])
        self._highest = np.array([term.highest for term in known])

    def predict(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probability of fraud of each row, shape (N,)."""
        log_odds = np.full(len(vectors), math.log(BASE_RATE / (1.0 - BASE_RATE)))
        # Term by term rather than along a row: the order of the sum must not depend on the batch.
        for added in self._added(vectors).T:
            log_odds += added
        probabilities: NDArray[np.float64] = sigmoid(log_odds)
        return probabilities

    def risks(self, scores: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return the risk of each score, 0 to 99."""
        return USUAL.risks(scores)

    def contributions(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds each feature adds to the base rate, shape (N, features)."""
        contributions = np.zeros((len(vectors), self._width))
        contributions[:, self._columns] = self._added(vectors)
        return contributions

    def _added(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        values = transform(np.ascontiguousarray(vectors[:, self._columns]), self._codes)
        added: NDArray[np.float64] = np.clip(
            self._slope * (values - self._usual), self._lowest, self._highest
        )
        return added
