"""How the columns of a feature vector are read: their transforms, and whether a snapshot fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents.models.kernels import NONE, SIGNED_LOG
from agents.models.protocols import SnapshotMismatchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from schemas.snapshot import Snapshot
    from streams.features.spec import Feature

_CODES = {"none": NONE, "log1p": SIGNED_LOG, "signed_log": SIGNED_LOG}
"""Counts, sums and times are never negative, where both logs are the same; one code serves both."""


def transform_codes(features: Sequence[Feature]) -> NDArray[np.uint8]:
    """Return the kernels' code of each feature's transform, shape (features,)."""
    return np.array([_CODES[feature.transform] for feature in features], np.uint8)


def check_fits(snapshot: Snapshot, kind: str, features: Sequence[Feature]) -> None:
    """Raise `SnapshotMismatchError` unless `snapshot` is of `kind` and knows just `features`."""
    if snapshot.kind != kind:
        raise SnapshotMismatchError(f"{snapshot.version}: of kind {snapshot.kind}, not {kind}")
    names = tuple(feature.name for feature in features)
    if snapshot.features != names:
        missing = sorted(set(names) - set(snapshot.features))
        unknown = sorted(set(snapshot.features) - set(names))
        raise SnapshotMismatchError(
            f"{snapshot.version}: learned on other features: missing {missing}, unknown {unknown}"
        )
