"""The feature table: all columns of the vector that models score and learn from, in order."""

from __future__ import annotations

from streams.features.card import CARD_FEATURES
from streams.features.charge import CHARGE_FEATURES
from streams.features.merchant import MERCHANT_FEATURES

__all__ = ["CARD_FEATURES", "CHARGE_FEATURES", "FEATURES", "FEATURE_NAMES", "MERCHANT_FEATURES"]

FEATURES = (*CHARGE_FEATURES, *CARD_FEATURES, *MERCHANT_FEATURES)
FEATURE_NAMES = tuple(feature.name for feature in FEATURES)
