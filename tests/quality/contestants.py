"""The candidates: the project's own models, forests of river, and LightGBM."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import lightgbm
import numpy as np

from agents.learning.learner import LearnerStage, TrainingStage
from agents.models.columns import Columns
from agents.models.kinds import KINDS, scorer
from agents.models.prior import BASE_RATE, PriorScorer
from agents.models.transforms import Transforms
from streams.features.entities import FEATURES
from streams.labels.join import CONTROLS
from streams.layouts.layout import HEAD
from streams.wire.examples import EXAMPLE, example_layout

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray
    from river.base import Classifier

    from streams.events.rows import Rows
    from streams.features.spec import Feature

_NEVER = 1 << 62

_LEAST = 1e-5
"""Probabilities nearer to 0 or 1 than this are limited: a vote of all trees is not certainty."""


class Prior:
    """What scores before anything is learned."""

    def __init__(self) -> None:
        self._scorer = PriorScorer(FEATURES)

    def learn(self, examples: Rows) -> int:
        """Learn nothing."""
        return len(examples)

    def log_odds(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `tests.quality.prequential.Candidate`."""
        return _logit(self._scorer.predict(vectors))


class Registered:
    """A kind of model of the registry, as a worker learns and scores with it.

    Parameters
    ----------
    kind
        Of `agents.models.kinds.KINDS`.
    features
        Those it may use.
    among
        The columns of the vectors.
    """

    def __init__(
        self,
        kind: str,
        features: Sequence[Feature] = FEATURES,
        among: Sequence[Feature] = FEATURES,
    ) -> None:
        self._features = features
        names = [feature.name for feature in among]
        self._columns = [names.index(feature.name) for feature in features]
        stage = TrainingStage if KINDS[kind].is_boosted else LearnerStage
        self._stage = stage(None, _NEVER, kind, features)
        self._scorer = scorer(None, features)

    def learn(self, examples: Rows) -> int:
        """See `tests.quality.prequential.Candidate`."""
        first = self._stage.offset
        self._stage.learn(self._seen(examples), range(first, first + len(examples)))
        self._scorer = scorer(self._stage.snapshot(), self._features)
        return len(examples)

    def _seen(self, examples: Rows) -> Rows:
        """Return examples with the columns that it may use."""
        seen = example_layout(self._features).new(len(examples))
        for name in EXAMPLE.names or ():
            if name not in {HEAD, "vector"}:
                seen[name] = examples[name]
        seen["vector"] = examples["vector"][:, self._columns]
        return seen

    def log_odds(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `tests.quality.prequential.Candidate`."""
        return _logit(self._scorer.predict(vectors[:, self._columns]))


class River:
    """A classifier of river on transformed features, learning from frauds and controls.

    Parameters
    ----------
    model
        Of river.
    controls
        About how many controls a fraud it learns from; a hash of the charge chooses them.
    """

    def __init__(self, model: Classifier, controls: int = CONTROLS) -> None:
        self._model = model
        self._controls = controls
        self._columns = Columns(FEATURES)
        self._transforms = Transforms(self._columns.features)

    def learn(self, examples: Rows) -> int:
        """See `tests.quality.prequential.Candidate`."""
        is_chosen = examples["charge"][:, 1] % CONTROLS < self._controls
        taught = examples[(examples["weight"] > 0.0) & ((examples["label"] == 1) | is_chosen)]
        vectors, frauds = self._columns.of_vectors(taught["vector"]), taught["label"].astype(bool)
        rows = self._named(self._transforms.learn(vectors, frauds, taught["weight"]))
        for row, fraud in zip(rows, frauds.tolist(), strict=True):
            self._model.learn_one(row, fraud)
        return len(taught)

    def log_odds(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `tests.quality.prequential.Candidate`."""
        rows = self._transforms.apply(self._columns.of_vectors(vectors))
        predicted = map(self._model.predict_proba_one, self._named(rows))
        return _logit(np.array([classes.get(True, 0.0) for classes in predicted]))

    def _named(self, rows: NDArray[np.float64]) -> list[dict[Hashable, float]]:
        names = [feature.name for feature in self._columns.features]
        return [dict(zip(names, row, strict=True)) for row in rows.tolist()]


class LightGBM:
    """Gradient boosted trees, trained anew on all labels known whenever there are new ones.

    Parameters
    ----------
    seed
        Of the choice of features for each tree.
    matured
        Whether it learns from the charges past the label horizon, the frauds of that time and a
        sample of the rest that stands for all of it; else from all frauds and their controls, as
        the other candidates do.
    """

    def __init__(self, seed: int, *, matured: bool) -> None:
        self._matured = matured
        self._examples: list[Rows] = []
        self._model: lightgbm.Booster | None = None
        self._parameters = {
            "objective": "binary",
            "num_leaves": 15,
            "learning_rate": 0.05,
            "min_child_samples": 50,
            "feature_fraction": 0.5,
            "num_threads": 1,
            "verbose": -1,
            "seed": seed,
        }

    def learn(self, examples: Rows) -> int:
        """See `tests.quality.prequential.Candidate`."""
        self._examples.append(examples)
        known, weights = self._known(np.concatenate(self._examples))
        if 0 < np.count_nonzero(known["label"]) < len(known):
            data = lightgbm.Dataset(known["vector"], known["label"], weight=weights)
            self._model = lightgbm.train(self._parameters, data, num_boost_round=200)
        return len(examples)

    def log_odds(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `tests.quality.prequential.Candidate`."""
        if self._model is None:
            return np.full(len(vectors), math.log(BASE_RATE / (1.0 - BASE_RATE)))
        return np.asarray(self._model.predict(vectors, raw_score=True, num_threads=1), np.float64)

    def _known(self, examples: Rows) -> tuple[Rows, NDArray[np.float64]]:
        """Return the examples to train on, and their weights."""
        weights = examples["weight"]
        if self._matured:
            is_genuine = (examples["label"] == 0) & (examples["stands_for"] > 0.0)
            complete = examples["charged_at"][is_genuine].max(initial=0.0)
            weights = np.where(examples["charged_at"] <= complete, examples["stands_for"], 0.0)
        return examples[weights > 0.0], weights[weights > 0.0]


def _logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    limited = np.clip(probability, _LEAST, 1.0 - _LEAST)
    return np.asarray(np.log(limited / (1.0 - limited)))
