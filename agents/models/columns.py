"""Which columns a model has: it reads vectors by the names of its features, in an order of its own.

A model that goes on from a snapshot keeps the snapshot's order, and new features come last::

    snapshot   amount  hour  checks
    vectors    checks  country  amount
    model      amount  checks  country     `hour` is gone, `country` is new

So sums run in the same order whatever the order of the vectors, and what is the same in both is
scored and learned as before, bit for bit. A feature whose transform is another one is gone and new.

A number of unknown scale may be missing. It has a flag beside it that tells, a column of the model
like any other; what both contribute is the feature's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from agents.models.protocols import SnapshotMismatchError
from agents.models.transforms import missing_flag, transform_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from schemas.snapshot import Snapshot
    from streams.features.spec import Feature


class Columns:
    """The columns of a model among those of the vectors, and of what it goes on from.

    Parameters
    ----------
    features
        The columns of the vectors, in order.
    known
        Names and codes of the transforms that the model goes on from, in order; by default nothing.

    Attributes
    ----------
    features
        The columns of the model, with a flag for each number that may be missing.
    kept, gone
        Places among `known` of the model's first columns, and of those that it has no more, int64.
    new
        The features that come after those that were kept.

    Raises
    ------
    ValueError
        When a name is known twice.
    """

    def __init__(self, features: Sequence[Feature], known: Sequence[tuple[str, int]] = ()) -> None:
        if len({name for name, _ in known}) != len(known):
            raise ValueError("a feature is known twice")
        self._width = len(features)
        self._numbers = [place for place, of in enumerate(features) if of.transform == "adaptive"]
        features = [*features, *(missing_flag(features[place]) for place in self._numbers)]
        codes = transform_codes(features).tolist()
        here = {(features[place].name, code): place for place, code in enumerate(codes)}
        both = [of for of in known if of in here]
        new = [place for of, place in here.items() if of not in both]
        self._known = len(known)
        self._known_codes = np.array([code for _, code in known], np.uint8)
        self.kept = np.array([known.index(of) for of in both], np.int64)
        self.gone = np.setdiff1d(np.arange(self._known), self.kept)
        self._places = np.array([*(here[of] for of in both), *new], np.int64)
        self._is_in_order = bool((np.diff(self._places) == 1).all())
        self.new = [features[place] for place in new]
        self.features = [features[place] for place in self._places]

    @property
    def is_unchanged(self) -> bool:
        """Whether no feature is gone or new."""
        return not len(self.gone) and not self.new

    def of_vectors(self, vectors: NDArray[Any]) -> NDArray[Any]:
        """Return the columns of the model, shape (N, columns), from those of vectors."""
        if self._numbers:
            is_missing = np.isnan(vectors[:, self._numbers])
            vectors = np.concatenate([vectors, is_missing], axis=1, dtype=vectors.dtype)
            vectors[:, self._numbers] = np.where(is_missing, 0.0, vectors[:, self._numbers])
        return vectors if self._is_in_order else np.take(vectors, self._places, axis=1)

    def to_vectors(self, columns: NDArray[Any]) -> NDArray[Any]:
        """Return contributions of the features of vectors from those of the model's columns."""
        out = columns
        if not self._is_in_order:
            out = np.empty_like(columns)
            out[:, self._places] = columns
        if self._numbers:
            out[:, self._numbers] += out[:, self._width :]
        return out[:, : self._width]

    def carried(self, known: ArrayLike, of_new: ArrayLike) -> NDArray[np.float64]:
        """Return what a model holds of each column.

        Parameters
        ----------
        known
            The same of what it goes on from, shape (known features, ...).
        of_new
            Of new features, all of them or one after the other.

        Returns
        -------
        f8[columns, ...]

        Raises
        ------
        ValueError
            When it is not of all known features, or a number is not finite.
        """
        numbers = self._checked(known)
        shape = (len(self.new), *numbers.shape[1:])
        return np.concatenate([numbers[self.kept], np.broadcast_to(of_new, shape)])

    def dropped(self, known: ArrayLike) -> NDArray[np.float64]:
        """Return what `carried` leaves out, f8[gone, ...]."""
        return self._checked(known)[self.gone]

    def kept_among(self, code: int) -> NDArray[np.int64]:
        """Return the places of the columns kept among the known ones, both of one transform."""
        is_one = self._known_codes == code
        places = np.cumsum(is_one) - 1
        kept: NDArray[np.int64] = places[self.kept[is_one[self.kept]]]
        return kept

    def unknown_before(self) -> NDArray[np.float64]:
        """Return a zero for each known feature: what snapshots of old versions do not hold."""
        return np.zeros(self._known)

    def _checked(self, known: ArrayLike) -> NDArray[np.float64]:
        numbers = np.asarray(known, np.float64)
        if numbers.shape[:1] != (self._known,):
            raise ValueError(f"numbers of shape {numbers.shape} for {self._known} features")
        if not np.isfinite(numbers).all():
            raise ValueError("a number is not finite")
        return numbers


def columns_of(snapshot: Snapshot, kind: str, features: Sequence[Feature]) -> Columns:
    """Return the columns of the model that goes on from `snapshot`.

    Parameters
    ----------
    snapshot
        Its `state` holds the codes of the transforms as ``transforms``.
    kind
        Of the model.
    features
        The columns of the vectors, in order.

    Raises
    ------
    SnapshotMismatchError
        When the snapshot is of another kind.
    """
    if snapshot.kind != kind:
        raise SnapshotMismatchError(f"{snapshot.version}: of kind {snapshot.kind}, not {kind}")
    codes = map(int, snapshot.state["transforms"])
    return Columns(features, list(zip(snapshot.features, codes, strict=True)))
