"""Examples to train on, and when: boosted trees are trained anew once a day of event time.

The examples are taken in the order of their topic. When one was labelled in a later stretch of
`EVERY_S` than all before it, trees are due: they learn from the newest `WINDOW_EXAMPLES` before it.
So the trees depend on the examples alone, wherever and whenever they are trained.

Trees do not look at the ages of card and merchant. A fraud is learned beside charges of the day
before it, so its card and merchant are a day older than theirs; trees told the newest days from the
others by that, and today's charges from both: of those on one day half scored like frauds.

The rows are what each example was when it came, with the label histories of its categories by the
examples before it: no row knows its own label (ordered target statistics: Prokhorenkova et al.
2018, "CatBoost: unbiased boosting with categorical features").
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agents.models.additive import AGES
from agents.models.boosted.training import train
from agents.models.columns import Columns
from agents.models.transforms import Transforms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agents.models.boosted.trees import Trees
    from streams.events.rows import Rows
    from streams.features.spec import Feature

EVERY_S = 24 * 3600.0

WINDOW_EXAMPLES = 250_000
"""Of frauds and controls: some 6,000 frauds. Measured: a thousand have most of the gain."""

LEAST_FRAUDS = 100
"""Fewer are not worth trees."""


class Trained(NamedTuple):
    """Trees, and where they come from.

    Attributes
    ----------
    trees
        Over columns of these names.
    names
        Of the columns, in order.
    offset
        Of the next example after those that were seen.
    """

    trees: Trees
    names: tuple[str, ...]
    offset: int


class _Kept(NamedTuple):
    """N examples to train on: transformed vectors, labels and weights."""

    rows: NDArray[np.float32]
    labels: NDArray[np.bool_]
    weights: NDArray[np.float64]


class Trainer:
    """Keeps the examples to train on.

    Parameters
    ----------
    features
        The columns of the vectors.

    Attributes
    ----------
    offset
        Of the next example.
    is_due
        Whether it is time to train.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        self._columns = Columns(features)
        names = [feature.name for feature in self._columns.features]
        self._looked_at = [place for place, name in enumerate(names) if name not in AGES]
        self._names = tuple(names[place] for place in self._looked_at)
        self._transforms = Transforms(self._columns.features)
        self._kept: deque[_Kept] = deque()
        self._count = 0
        self._stretch: float | None = None
        self.offset = 0
        self.is_due = False

    def take(self, examples: Rows, offsets: Sequence[int]) -> int:
        """Take examples up to the first, if any, before which trees become due.

        Parameters
        ----------
        examples
            EXAMPLE[N], at least one.
        offsets
            N offsets of them, rising.

        Returns
        -------
        int
            How many were taken; 0 where trees are due before the first.
        """
        stretches = np.maximum.accumulate(examples["labelled_at"]) // EVERY_S
        if self._stretch is None:
            self._stretch = stretches[0]
        count = int(np.searchsorted(stretches, self._stretch, side="right"))
        if count == 0:
            self._stretch, self.is_due = stretches[0], True
            return 0
        self._keep(examples[:count])
        self.offset = offsets[count - 1] + 1
        return count

    def take_all(self, examples: Rows, offsets: Sequence[int]) -> None:
        """Take examples, where trees that are due may wait for the last of them; see `take`."""
        while len(examples):
            count = self.take(examples, offsets)
            examples, offsets = examples[count:], offsets[count:]

    def train(self) -> Trained | None:
        """Return trees of the examples there are, `None` of too few."""
        self.is_due = False
        if sum(int(np.count_nonzero(kept.labels)) for kept in self._kept) < LEAST_FRAUDS:
            return None
        rows, labels, weights = self._window()
        return Trained(train(rows, labels, weights), self._names, self.offset)

    def _keep(self, examples: Rows) -> None:
        """Learn what rows are, and keep those that are taught."""
        labels, weights = examples["label"].astype(bool), examples["weight"]
        vectors = self._columns.of_vectors(examples["vector"])
        rows = self._transforms.learn(vectors, labels, weights)[:, self._looked_at]
        is_taught = weights > 0.0
        if not is_taught.any():
            return
        kept = rows[is_taught].astype(np.float32), labels[is_taught], weights[is_taught]
        self._kept.append(_Kept(*kept))
        self._count += len(labels[is_taught])
        while self._count - len(self._kept[0].labels) >= WINDOW_EXAMPLES:
            self._count -= len(self._kept.popleft().labels)

    def _window(self) -> _Kept:
        """Return the newest `WINDOW_EXAMPLES`, in their order."""
        columns = zip(*self._kept, strict=True)
        return _Kept(*(np.concatenate(column)[-WINDOW_EXAMPLES:] for column in columns))
