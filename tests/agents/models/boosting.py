"""Boosted trees for the tests of models: by the project's trainer, and LightGBM's own."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import lightgbm
import numpy as np

from agents.models.boosted.trainer import Trained, Trainer
from agents.models.boosted.training import PARAMETERS, TREES
from agents.models.kinds import KINDS, new_learner
from streams.wire.examples import example_layout
from tests.agents.models.examples import FEATURES, Examples, in_river_units, random_examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agents.models.protocols import BoostedLearner, Learner
    from streams.events.rows import Rows
    from streams.features.spec import Feature

ROWS = 2000


class Boosters(NamedTuple):
    """Trees of the same examples: by the project's trainer, and LightGBM's own."""

    trained: Trained
    by_lightgbm: lightgbm.Booster
    names: list[str]

    def log_odds(self, row: dict[str, float]) -> float:
        """Return what LightGBM says of a transformed row."""
        values = np.array([[row[name] for name in self.names]])
        return float(self.predict(values)[0])

    def predict(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Return what LightGBM says of transformed rows."""
        return np.asarray(self.by_lightgbm.predict(rows, raw_score=True), np.float64)


@cache
def boosters() -> Boosters:
    """Return trees of random examples of `FEATURES`."""
    examples = random_examples(50, ROWS)
    rows = in_river_units(examples, ROWS).to_learn
    is_taught = examples.weights > 0.0
    data = lightgbm.Dataset(
        np.array([list(row.values()) for row in rows], np.float32)[is_taught],
        examples.labels[is_taught],
        weight=examples.weights[is_taught],
        params=PARAMETERS,
    )
    booster = lightgbm.train(PARAMETERS, data, num_boost_round=TREES)
    return Boosters(trained_on(examples, FEATURES), booster, list(rows[0]))


def trained_on(examples: Examples, features: Sequence[Feature]) -> Trained:
    """Return trees that a trainer has made of examples, as if none were before the others."""
    trainer = Trainer(features)
    rows = as_rows(examples, features)
    assert trainer.take(rows, range(len(rows))) == len(rows)
    trained = trainer.train()
    assert trained is not None
    return trained._replace(offset=0)


def fresh_learner(
    kind: str, features: Sequence[Feature] = FEATURES, examples: Examples | None = None
) -> Learner:
    """Return a learner that has learned nothing; one that is boosted has trees of examples."""
    learner = new_learner(features, kind)
    assert learner.kind == kind
    if examples is not None:
        adopt(learner, examples, features)
    elif KINDS[kind].is_boosted:
        cast("BoostedLearner", learner).adopt(boosters().trained)
    return learner


def adopt(learner: Learner, examples: Examples, features: Sequence[Feature]) -> None:
    """Give trees of examples to a learner that is boosted."""
    if KINDS[learner.kind].is_boosted:
        cast("BoostedLearner", learner).adopt(trained_on(examples, features))


def as_rows(examples: Examples, features: Sequence[Feature]) -> Rows:
    """Return EXAMPLE[N], labelled all at once."""
    rows = example_layout(features).new(len(examples.labels))
    rows["vector"], rows["label"], rows["weight"] = (
        examples.vectors,
        examples.labels,
        examples.weights,
    )
    rows["charged_at"], rows["stands_for"] = examples.created, examples.stands_for
    return rows
