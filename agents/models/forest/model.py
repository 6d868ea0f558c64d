"""The forest: river's adaptive random forest, with a calibration on top.

Hoeffding trees grow from a stream as each leaf sees enough to tell which split is best. Every tree
sees its own sample of the stream and every leaf its own choice of columns; a tree that begins to
err more often than it did (ADWIN) is replaced by one that began to grow when that was suspected.

Learning is river's own, one example after another. It costs some hundred times what the additive
model takes, so of a fraud's controls only every fourth is learned. Scoring walks whole batches
through the trees of a snapshot; the score is that of river's `predict_proba_one`.

A branch that looked at a feature that is gone is replaced by that below it which had learned more:
there river, too, sends a vector without the feature. Leaves look at a new one when they begin anew
to look for a split, see `agents.models.forest.columns`.

References
----------
Gomes et al. 2017, "Adaptive random forests for evolving data stream classification"; Domingos and
Hulten 2000, "Mining high-speed data streams"; Bifet and Gavalda 2007, "Learning from time-changing
data with adaptive windowing". What a column contributes is told by the way through each tree, after
Saabas 2014, "Interpreting random forests".
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from river.forest import ARFClassifier

from agents.models.base import CalibratedLearner, CalibratedScorer
from agents.models.forest import state as tree_state
from agents.models.forest.columns import over_columns
from agents.models.forest.kernels import leaf_sums, path_sums
from agents.models.forest.state import arrays_of, decoded, encoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agents.models.columns import Columns
    from schemas.snapshot import Snapshot
    from streams.features.spec import Feature

KIND = "forest"

TREES = 10
SEED = 1

LEAVES_MAX = 250
"""Leaves of a tree that may be split; with more it grows no further, which bounds the snapshot."""

CONTROLS_APART = 4
"""Every so many controls one is learned."""

LEAST = 1e-5
"""Probabilities nearer to 0 or 1 than this are taken for it: some leaves are all of one kind."""

_NEVER = 1 << 62


def new_forest(columns: int) -> ARFClassifier:
    """Return a forest of river that has learned nothing yet."""
    forest = ARFClassifier(
        n_models=TREES,
        leaf_prediction="mc",
        disable_weighted_vote=True,
        memory_estimate_period=_NEVER,
        seed=SEED,
    )
    forest._init_ensemble([None] * columns)
    return forest


class ForestPart:
    """What learns in a forest, and the log-odds before calibration of what it learns.

    Parameters
    ----------
    names
        Of the columns, in order.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._forest = new_forest(len(names))
        self._controls = 0

    def choose(self, labels: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which examples are to be learned: the frauds, and one of so many controls."""
        is_control = (weights > 0.0) & ~labels
        numbers = self._controls + np.cumsum(is_control)
        self._controls = int(numbers[-1]) if len(numbers) else self._controls
        chosen: NDArray[np.bool_] = (weights > 0.0) & (labels | (numbers % CONTROLS_APART == 0))
        return chosen

    def learn(
        self,
        rows: NDArray[np.float64],
        labels: NDArray[np.bool_],
        is_taught: NDArray[np.bool_],
        is_asked: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        """Learn one example after another.

        Parameters
        ----------
        rows
            Transformed vectors, shape (N, features).
        labels
            True for fraud, shape (N,).
        is_taught, is_asked
            Which are learned, and of which the log-odds are wanted, shape (N,).

        Returns
        -------
        The log-odds of each before it was learned, shape (N,); of no use where not asked for.
        """
        shares = np.zeros(len(rows))
        columns = (rows, labels, is_taught, is_asked)
        examples = zip(*(column.tolist() for column in columns), strict=True)
        for i, (row, fraud, teaches, asked) in enumerate(examples):
            vector = dict(zip(self._names, row, strict=True))
            if asked:
                shares[i] = self._share(vector)
            if teaches:
                self._limit_growth()
                self._forest.learn_one(vector, fraud)
        return _log_odds(shares)

    def state(self) -> dict[str, Any]:
        """Return all of it as plain numbers and text."""
        forest = self._forest
        return {
            "controls": self._controls,
            "random": list(forest._rng.getstate()[1]),
            "trees": [self._tree_state(tree) for tree in forest.data],
            "background": [self._tree_state(tree) for tree in forest._background],
            "warnings": [_detector_state(one) for one in forest._warning_detectors],
            "drifts": [_detector_state(one) for one in forest._drift_detectors],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], columns: Columns) -> Self:
        """Return the part that goes on from `state`, which is over the known columns."""
        part = cls([feature.name for feature in columns.features])
        part._controls = state["controls"]
        forest = part._forest
        forest._rng.setstate((3, tuple(state["random"]), None))
        forest.data = [part._tree(tree, columns) for tree in state["trees"]]
        forest._background = [
            None if tree is None else part._tree(tree, columns) for tree in state["background"]
        ]
        for detectors, states in (
            (forest._warning_detectors, state["warnings"]),
            (forest._drift_detectors, state["drifts"]),
        ):
            for detector, kept in zip(detectors, states, strict=True):
                _restore_detector(detector, kept)
        return part

    def _share(self, vector: dict[str, float]) -> float:
        """Return what `ForestVotes` does, and river in four times the time."""
        total, trees = 0.0, 0
        for tree in self._forest.data:
            if tree._root is not None:
                total += tree_state.share(tree, vector)
                trees += 1
        return total / max(trees, 1)

    def _limit_growth(self) -> None:
        for tree in (*self._forest.data, *self._forest._background):
            if tree is not None:
                tree._growth_allowed = tree._n_active_leaves < LEAVES_MAX

    def _tree_state(self, tree: Any) -> dict[str, Any] | None:
        """Return what there is of a tree: nothing, a tree without nodes, or its nodes."""
        if tree is None:
            return None
        arrays = arrays_of(tree, self._names)
        return {} if arrays is None else encoded(arrays)

    def _tree(self, state: dict[str, Any], columns: Columns) -> Any:
        tree = self._forest._new_base_model()  # type: ignore[no-untyped-call]
        if state:
            tree_state.fill(tree, over_columns(decoded(state), columns), self._names)
        return tree


def _detector_state(detector: Any) -> dict[str, Any]:
    window = base64.b64encode(detector._helper.__getstate__()).decode()
    return {"window": window, "is_drift": bool(detector.drift_detected)}


def _restore_detector(detector: Any, state: dict[str, Any]) -> None:
    detector._helper.__setstate__(base64.b64decode(state["window"]))
    detector._drift_detected = state["is_drift"]


def _log_odds(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    limited = np.clip(shares, LEAST, 1.0 - LEAST)
    log_odds: NDArray[np.float64] = np.log(limited / (1.0 - limited))
    return log_odds


class ForestLearner(CalibratedLearner):
    """Learns trees of transformed features, one example at a time."""

    kind: ClassVar[str] = KIND

    def __init__(self, features: Sequence[Feature], name: str | None = None) -> None:
        super().__init__(features, name)
        self._part = ForestPart(self._names)

    def learn(
        self,
        vectors: NDArray[np.float32],
        labels: NDArray[np.bool_],
        weights: NDArray[np.float64],
        created: NDArray[np.float64],
        stands_for: NDArray[np.float64],
    ) -> None:
        """Learn one example after another; see `agents.models.protocols.Learner`."""
        rows = self._learned_rows(vectors, labels, weights)
        is_taught = self._part.choose(labels, weights)
        log_odds = self._part.learn(rows, labels, is_taught, stands_for > 0.0)
        weights = np.where(is_taught, weights, 0.0)
        self._experience.observe(log_odds, labels, weights, created, stands_for)

    def _state(self) -> dict[str, Any]:
        return self._part.state()

    def _restore(self, state: dict[str, Any]) -> None:
        self._part = ForestPart.from_state(state, self._columns)


class ForestVotes:
    """The trees of a `ForestPart` as they score whole batches.

    Parameters
    ----------
    state
        Of the part, over the known columns.
    columns
        Of the rows.
    """

    def __init__(self, state: dict[str, Any], columns: Columns) -> None:
        kept = [decoded(tree) for tree in state["trees"] if tree]
        trees = [over_columns(tree, columns) for tree in kept]
        sizes = [len(tree.columns) for tree in trees]
        roots = np.cumsum([0, *sizes], dtype=np.int64)[:-1]
        shares = [tree.shares() for tree in trees]
        right = [tree.right + root for tree, root in zip(trees, roots, strict=True)]
        self._model = (
            roots,
            np.concatenate([np.empty(0, np.int32), *(tree.columns for tree in trees)]),
            np.concatenate([np.empty(0), *(tree.thresholds for tree in trees)]),
            np.concatenate([np.empty(0, np.int64), *right]),
            np.concatenate([np.empty(0), *shares]),
        )
        self._trees = max(len(shares), 1)
        self._root_share = float(np.mean([share[0] for share in shares])) if shares else 0.0

    def log_odds(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log-odds of transformed vectors, shape (N,)."""
        return _log_odds(leaf_sums(rows, *self._model) / self._trees)

    def contributions(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log-odds each feature adds against the roots' share, shape (N, features)."""
        added: NDArray[np.float64] = path_sums(rows, *self._model) / self._trees
        total = added.sum(axis=1)
        moved = _log_odds(self._root_share + total) - _log_odds(np.array([self._root_share]))
        scale = np.divide(moved, total, out=np.zeros(len(rows)), where=np.abs(total) > LEAST)
        added *= scale[:, None]
        return added


class ForestScorer(CalibratedScorer):
    """Scores batches with the trees of a snapshot of a `ForestLearner`."""

    kind: ClassVar[str] = KIND

    def __init__(self, snapshot: Snapshot, features: Sequence[Feature]) -> None:
        super().__init__(snapshot, features)
        self._votes = ForestVotes(snapshot.state, self._columns)

    def log_odds(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds before calibration: those of river's `predict_proba_one`."""
        return self._votes.log_odds(self._transformed(vectors))

    def contributions(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds, before calibration, that each feature adds against the roots' share.

        Returns
        -------
        Shape (N, features). A row adds up to its `log_odds` less those of the roots' mean share.
        """
        return self._columns.to_vectors(self._votes.contributions(self._transformed(vectors)))
