"""What is watched for drift: the quantities, and how charges are added up to their means.

Of features those that stay about the same while nothing changes: none that tells the time of day,
none that grows with the age of the stream. Counts and amounts are averaged as logarithms, so that a
few large ones do not hide the rest. Of the signals of a producer's own the numbers are averaged so,
of either sign, and of all of them it is watched how often they are missing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from streams.compiled import compiled
from streams.features.entities import FEATURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streams.features.spec import Feature

Scale = Literal["none", "log1p", "signed_log", "log_odds", "missing"]

UNITS_TO_ONE = 2**20
"""Values are added up as whole multiples of 1 / this: the sum is exact, in whatever order."""

_LOWEST = 1e-9  # a score further from 0 and 1 than that is taken at its word
_FEATURES = (
    "amount", "funding_prepaid", "channel_online", "cvc_check_missing", "cvc_check_fail",
    "postal_check_fail", "three_d_secure_yes", "merchant_country_is_not_card_country",
    "ip_country_is_not_card_country", "mcc_resold", "device_missing", "email_missing",
    "card_count_1h", "card_amount_recent_log_ratio", "merchant_cards_1h",
    "merchant_small_share_1h",
)  # fmt: skip
_NONE, _LOG1P, _SIGNED_LOG, _IS_NAN, _IS_ZERO = range(5)
_CODES = {"none": _NONE, "log1p": _LOG1P, "signed_log": _SIGNED_LOG}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity whose mean is watched.

    Attributes
    ----------
    name
        What drift events carry as their signal, and the metric.
    unit
        Of its mean.
    scale
        What is averaged: the value itself, its ``log1p``, the same of both signs, its log-odds, or
        whether it is missing.
    feature
        Of which it is, "" for none.
    """

    name: str
    unit: str
    scale: Scale = "none"
    feature: str = ""

    def in_unit(self, mean: float) -> float:
        """Return a mean of the scale in the quantity's unit: of logarithms a geometric mean.

        >>> round(Quantity("amount", "reference currency", "log1p").in_unit(3.0), 2)
        19.09
        >>> Quantity("score", "probability", "log_odds").in_unit(0.0)
        0.5
        """
        if self.scale in {"log1p", "signed_log"}:
            return math.copysign(math.expm1(abs(mean)), mean)
        if self.scale == "log_odds":
            return 0.5 * (1.0 + math.tanh(mean / 2.0))
        return mean


_OF_SCORES = (
    Quantity("score", "probability", "log_odds"),
    Quantity("fraud_score", "probability", "log_odds"),
    Quantity("dispute_rate", "share"),
)
SCORE, FRAUD_SCORE, DISPUTE_RATE = range(3)


class Watch:
    """All that is watched where vectors have some columns.

    Parameters
    ----------
    features
        The columns.

    Attributes
    ----------
    quantities
        In the order of the sums.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        of_features = {feature.name: feature for feature in features}
        chosen = (
            *(_of_feature(of_features[name]) for name in _FEATURES),
            *(quantity for feature in features for quantity in _of_signal(feature)),
        )
        self.quantities = (*_OF_SCORES, *chosen)
        places = {feature.name: place for place, feature in enumerate(features)}
        self._columns = np.array([places[quantity.feature] for quantity in chosen])
        self._scales = np.array([_code(each, of_features[each.feature]) for each in chosen])

    def add_charges(
        self,
        sums: NDArray[np.int64],
        counts: NDArray[np.int64],
        vectors: NDArray[np.float32],
        scores: NDArray[np.float64],
        duplicates: NDArray[np.uint8],
    ) -> int:
        """Add charges to the sums of the score and the features.

        Parameters
        ----------
        sums, counts
            i8[quantities], in 1 / `UNITS_TO_ONE` and how many: added to in place, but for the
            counts of what is of scores.
        vectors
            f4[N, features].
        scores
            f8[N], probabilities.
        duplicates
            u1[N], not 0 for duplicates, which are left out.

        Returns
        -------
        int
            How many were added.
        """
        return int(
            _add_charges(sums, counts, vectors, scores, duplicates, self._columns, self._scales)
        )


def add_frauds(sums: NDArray[np.int64], scores: NDArray[np.float64]) -> int:
    """Add the scores that frauds had, NaN for none, to the sums of a `Watch`; return how many."""
    return int(_add_frauds(sums, scores))


def _of_feature(feature: Feature) -> Quantity:
    assert feature.transform in {"none", "log1p"}, "whose mean has no unit else"
    scale: Scale = "log1p" if feature.transform == "log1p" else "none"
    return Quantity(feature.name, feature.unit, scale, feature.name)


def _of_signal(feature: Feature) -> tuple[Quantity, ...]:
    """Return what is watched of a signal of a producer's own, nothing of other features."""
    if feature.scope != "signal":
        return ()
    missing = Quantity(f"{feature.name}_missing", "share", "missing", feature.name)
    if feature.transform == "category":
        return (missing,)
    return Quantity(feature.name, feature.unit, "signed_log", feature.name), missing


def _code(quantity: Quantity, feature: Feature) -> int:
    if quantity.scale == "missing":
        return _IS_ZERO if feature.transform == "category" else _IS_NAN
    return _CODES[quantity.scale]


@compiled
def _log_odds_units(score: float) -> int:
    limited = min(max(score, _LOWEST), 1.0 - _LOWEST)
    return round(math.log(limited / (1.0 - limited)) * UNITS_TO_ONE)


@compiled
def _scaled(value: float, scale: int) -> float:
    if scale == _LOG1P:
        return math.log1p(value)
    if scale == _SIGNED_LOG:
        return math.copysign(math.log1p(abs(value)), value)
    if scale == _IS_NAN:
        return 1.0 if math.isnan(value) else 0.0
    if scale == _IS_ZERO:
        return 1.0 if value == 0.0 else 0.0
    return value


@compiled
def _add_charges(
    sums: NDArray[np.int64],
    counts: NDArray[np.int64],
    vectors: NDArray[np.float32],
    scores: NDArray[np.float64],
    duplicates: NDArray[np.uint8],
    columns: NDArray[np.int64],
    scales: NDArray[np.int64],
) -> int:
    added = 0
    first = len(sums) - len(columns)
    for i in range(len(scores)):
        if duplicates[i]:
            continue
        added += 1
        sums[SCORE] += _log_odds_units(scores[i])
        for j in range(len(columns)):
            scaled = _scaled(np.float64(vectors[i, columns[j]]), scales[j])
            if not math.isnan(scaled):
                sums[first + j] += round(scaled * UNITS_TO_ONE)
                counts[first + j] += 1
    return added


@compiled
def _add_frauds(sums: NDArray[np.int64], scores: NDArray[np.float64]) -> int:
    added = 0
    for i in range(len(scores)):
        if not math.isnan(scores[i]):
            added += 1
            sums[FRAUD_SCORE] += _log_odds_units(scores[i])
    return added


WATCH = Watch(FEATURES)
"""All that is watched where there are no signals."""
