"""The stack through what it is for: a second level that knows what to take from which part."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from agents.evaluation.metrics import average_precision
from agents.models import additive, stack
from agents.models.forest import model as forest
from agents.models.kinds import KINDS
from agents.models.stack import StackLearner, StackScorer
from tests.agents.models.examples import DAY, PLAIN, Examples

ROWS = 12_000


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forest, "TREES", 5)


def examples_of_two_columns(seed: int) -> Examples:
    """Return frauds and controls, told by one column, and by two others only together."""
    rng = np.random.default_rng(seed)
    labels = rng.random(ROWS) < 0.2
    vectors = np.abs(rng.normal(0.0, 1.0, (ROWS, len(PLAIN)))).astype(np.float32)
    vectors[:, [3, 5]] = rng.random((ROWS, 2)) < 0.5
    differ = vectors[:, 3] != vectors[:, 5]
    vectors[:, 3] = np.where(labels & differ, vectors[:, 5], vectors[:, 3])
    vectors[:, 0] += 1.0 * labels
    created = 1.7e9 + np.linspace(0.0, 40 * DAY, ROWS)
    return Examples(vectors, labels, np.ones(ROWS), created, np.where(labels, 1.0, 10.0))


def scorer_of(kind: str, examples: Examples) -> Any:
    learner = KINDS[kind].learner(PLAIN)
    examples.learn(learner)
    return KINDS[kind].scorer(learner.snapshot(0), PLAIN)


@pytest.mark.parametrize("seed", range(2))
def test_it_tells_more_than_either_part(seed: int) -> None:
    examples, fresh = examples_of_two_columns(seed), examples_of_two_columns(100 + seed)
    found = {
        kind: average_precision(scorer_of(kind, examples).predict(fresh.vectors), fresh.labels)
        for kind in (additive.KIND, forest.KIND, stack.KIND)
    }
    best = max(cast("float", found[kind]) for kind in (additive.KIND, forest.KIND))
    assert cast("float", found[stack.KIND]) > best + 0.02


def test_it_adds_up_what_the_parts_say_alone() -> None:
    examples = examples_of_two_columns(2)
    learner = StackLearner(PLAIN)
    examples.learn(learner)
    snapshot = learner.snapshot(0)
    scorer = StackScorer(snapshot, PLAIN)
    parts = {kind: scorer_of(kind, examples) for kind in (additive.KIND, forest.KIND)}
    weights, intercept = snapshot.state["weights"], snapshot.state["intercept"]
    assert weights.keys() == parts.keys()
    vectors = examples.vectors
    log_odds = sum(weights[kind] * part.log_odds(vectors) for kind, part in parts.items())
    np.testing.assert_allclose(scorer.log_odds(vectors), intercept + log_odds, rtol=0.0, atol=1e-12)
    added = sum(weights[kind] * part.contributions(vectors) for kind, part in parts.items())
    np.testing.assert_allclose(scorer.contributions(vectors), added, rtol=0.0, atol=1e-12)
    without = scorer.log_odds(vectors) - added.sum(axis=1)
    np.testing.assert_allclose(without, without[0], rtol=0.0, atol=1e-9)


def test_before_it_has_learned_it_says_what_the_additive_part_says() -> None:
    vectors = examples_of_two_columns(3).vectors
    snapshot = StackLearner(PLAIN).snapshot(0)
    fresh = scorer_of(additive.KIND, examples_of_two_columns(3).of(slice(0)))
    expected = fresh.log_odds(vectors)
    assert StackScorer(snapshot, PLAIN).log_odds(vectors).tobytes() == expected.tobytes()
