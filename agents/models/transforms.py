"""How a model reads the columns of feature vectors: as numbers of a known scale.

What takes no learning is a code of the kernels. Categories and numbers of unknown scale become
numbers by what the model has learned of them, so that every kind of model takes them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.models import kernels
from agents.models.category_history import CategoryHistory
from agents.models.kernels import NONE, SIGNED_LOG
from agents.models.rank_scale import RankScale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agents.models.columns import Columns
    from streams.features.spec import Feature

CATEGORY, ADAPTIVE = 2, 3
"""Codes of what is learned; to the kernels these columns are as they are."""

_CODES = {
    "none": NONE,
    "log1p": SIGNED_LOG,
    "signed_log": SIGNED_LOG,
    "category": CATEGORY,
    "adaptive": ADAPTIVE,
}
"""Counts, sums and times are never negative, where both logs are the same; one code serves both."""


def transform_codes(features: Sequence[Feature]) -> NDArray[np.uint8]:
    """Return the code of each feature's transform, shape (features,)."""
    return np.array([_CODES[feature.transform] for feature in features], np.uint8)


def missing_flag(feature: Feature) -> Feature:
    """Return the column beside a number that tells whether it is missing.

    No feature has a colon in its name.
    """
    return replace(feature, name=f"{feature.name}:missing", unit="flag", transform="none")


class Transforms:
    """Makes the columns of a model of its columns of vectors.

    Parameters
    ----------
    features
        The columns of the model, with the flags of its numbers.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        self._codes = transform_codes(features)
        places = {feature.name: place for place, feature in enumerate(features)}
        numbers = np.flatnonzero(self._codes == ADAPTIVE)
        flags = [places[missing_flag(features[number]).name] for number in numbers.tolist()]
        self._history = CategoryHistory(np.flatnonzero(self._codes == CATEGORY))
        self._scale = RankScale(numbers, np.array(flags, np.int64))

    def apply(self, vectors: NDArray[Any]) -> NDArray[np.float64]:
        """Return the rows that a model scores, of the model's columns of vectors, shape (N, C)."""
        rows: NDArray[np.float64] = kernels.transform(vectors, self._codes)
        self._scale.replace(rows)
        self._history.replace(rows)
        return rows

    def learn(
        self, vectors: NDArray[Any], frauds: NDArray[np.bool_], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the rows that a model learns, and learn from them what a later row is.

        Each is by the examples before it; those of weight 0 are not learned from.
        """
        # Columns of examples lie apart, unless there is but one: a kernel is compiled for either.
        rows: NDArray[np.float64] = kernels.transform(np.ascontiguousarray(vectors), self._codes)
        # One number that is not finite would stay in the model for good.
        assert np.isfinite(rows).all(), "feature vectors must be finite"
        weights = np.ascontiguousarray(weights)
        self._scale.learn(rows, weights)
        self._history.learn(rows, frauds, weights)
        return rows

    def state(self) -> dict[str, Any]:
        """Return all of it as plain numbers and text."""
        return {
            "transforms": self._codes.tolist(),
            "categories": self._history.state(),
            "scales": self._scale.state(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], columns: Columns) -> Transforms:
        """Return those that go on from `state`, which is over the known columns."""
        transforms = cls(columns.features)
        kept = {code: columns.kept_among(code) for code in (CATEGORY, ADAPTIVE)}
        # Snapshots of versions without such columns have neither.
        if "categories" in state or len(kept[CATEGORY]):
            transforms._history.restore(state["categories"], kept[CATEGORY])
        if "scales" in state or len(kept[ADAPTIVE]):
            transforms._scale.restore(state["scales"], kept[ADAPTIVE])
        return transforms
