"""How the columns of a feature vector are read: the codes of their transforms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents.models.kernels import NONE, SIGNED_LOG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streams.features.spec import Feature

_CODES = {"none": NONE, "log1p": SIGNED_LOG, "signed_log": SIGNED_LOG}
"""Counts, sums and times are never negative, where both logs are the same; one code serves both."""


def transform_codes(features: Sequence[Feature]) -> NDArray[np.uint8]:
    """Return the kernels' code of each feature's transform, shape (features,)."""
    return np.array([_CODES[feature.transform] for feature in features], np.uint8)
