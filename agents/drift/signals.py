"""What is watched for drift: the signals, and how charges are added up to their means.

Of features those that stay about the same while nothing changes: none that tells the time of day,
none that grows with the age of the stream. Counts and amounts are averaged as logarithms, so that a
few large ones do not hide the rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from streams.compiled import compiled
from streams.features.entities import FEATURES

if TYPE_CHECKING:
    from numpy.typing import NDArray

Scale = Literal["none", "log1p", "log_odds"]

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


@dataclass(frozen=True, slots=True)
class Signal:
    """A quantity whose mean is watched.

    Attributes
    ----------
    name
        What drift events and the metric carry.
    unit
        Of its mean.
    scale
        What is averaged: the value itself, its ``log1p``, or its log-odds.
    """

    name: str
    unit: str
    scale: Scale = "none"

    def in_unit(self, mean: float) -> float:
        """Return a mean of the scale in the signal's unit: of logarithms a geometric mean.

        >>> round(Signal("amount", "reference currency", "log1p").in_unit(3.0), 2)
        19.09
        >>> Signal("score", "probability", "log_odds").in_unit(0.0)
        0.5
        """
        if self.scale == "log1p":
            return math.expm1(mean)
        if self.scale == "log_odds":
            return 0.5 * (1.0 + math.tanh(mean / 2.0))
        return mean


def _signals() -> tuple[Signal, ...]:
    of_features = {feature.name: feature for feature in FEATURES}
    return (
        Signal("score", "probability", "log_odds"),
        Signal("fraud_score", "probability", "log_odds"),
        Signal("dispute_rate", "share"),
        *(
            Signal(name, of_features[name].unit, _scale(of_features[name].transform))
            for name in _FEATURES
        ),
    )


def _scale(transform: str) -> Scale:
    assert transform != "signed_log", "whose mean would have no unit"
    return "log1p" if transform == "log1p" else "none"


SIGNALS = _signals()
SCORE, FRAUD_SCORE, DISPUTE_RATE = range(3)

_COLUMNS = np.array([[f.name for f in FEATURES].index(name) for name in _FEATURES])
_IS_LOG = np.array([signal.scale == "log1p" for signal in SIGNALS[-len(_FEATURES) :]])


def add_charges(
    sums: NDArray[np.int64],
    vectors: NDArray[np.float32],
    scores: NDArray[np.float64],
    duplicates: NDArray[np.uint8],
) -> int:
    """Add charges to the sums of the score and the features.

    Parameters
    ----------
    sums
        i8[signals] in 1 / `UNITS_TO_ONE`, added to in place.
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
    return int(_add_charges(sums, vectors, scores, duplicates, _COLUMNS, _IS_LOG))


def add_frauds(sums: NDArray[np.int64], scores: NDArray[np.float64]) -> int:
    """Add the scores that frauds had, NaN for none; `sums` and what is returned as above."""
    return int(_add_frauds(sums, scores))


@compiled
def _log_odds_units(score: float) -> int:
    limited = min(max(score, _LOWEST), 1.0 - _LOWEST)
    return round(math.log(limited / (1.0 - limited)) * UNITS_TO_ONE)


@compiled
def _add_charges(
    sums: NDArray[np.int64],
    vectors: NDArray[np.float32],
    scores: NDArray[np.float64],
    duplicates: NDArray[np.uint8],
    columns: NDArray[np.int64],
    is_log: NDArray[np.bool_],
) -> int:
    added = 0
    first = len(sums) - len(columns)
    for i in range(len(scores)):
        if duplicates[i]:
            continue
        added += 1
        sums[SCORE] += _log_odds_units(scores[i])
        for j in range(len(columns)):
            value = np.float64(vectors[i, columns[j]])
            sums[first + j] += round((math.log1p(value) if is_log[j] else value) * UNITS_TO_ONE)
    return added


@compiled
def _add_frauds(sums: NDArray[np.int64], scores: NDArray[np.float64]) -> int:
    added = 0
    for i in range(len(scores)):
        if not math.isnan(scores[i]):
            added += 1
            sums[FRAUD_SCORE] += _log_odds_units(scores[i])
    return added
