"""The model of the contestants that are given one: river's, predicting and learning one by one."""

import math
import zlib
from collections.abc import Sequence

from river.linear_model import LogisticRegression
from river.preprocessing import StandardScaler

KEPT = 100_000
NEGATIVE_RATE = 0.1


class Learning:
    """A model and the features of the newest charges, which wait in memory for their labels.

    That is less than Chargewatch does, which keeps them in its state for months: here they are gone
    after a restart. A tenth of the charges are learned as genuine at once.
    """

    def __init__(self) -> None:
        self._model = StandardScaler() | LogisticRegression()
        self._kept: dict[str, dict[str, float]] = {}

    def score(self, charge: str, features: dict[str, float]) -> float:
        """Return the probability of fraud."""
        score = self._model.predict_proba_one(features).get(True, 0.0)
        self._kept[charge] = features
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        if zlib.crc32(charge.encode()) < NEGATIVE_RATE * 2**32:
            self._model.learn_one(features, False)
        return float(score)

    def learn_fraud(self, charge: str) -> None:
        """Learn from a dispute."""
        features = self._kept.pop(charge, None)
        if features is not None:
            self._model.learn_one(features, True)


def features(amount: int, card: Sequence[float], merchant: Sequence[float]) -> dict[str, float]:
    """Name the features: the amount, and the counts of card and merchant."""
    named = {"amount": math.log1p(amount)}
    named |= {f"card_{number}": math.log1p(count) for number, count in enumerate(card)}
    named |= {f"merchant_{number}": math.log1p(count) for number, count in enumerate(merchant)}
    return named
