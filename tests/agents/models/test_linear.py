"""What the linear model adds to what every model promises: above all its contributions."""

from __future__ import annotations

import numpy as np
import pytest

from agents.models.linear import LinearLearner, LinearScorer
from schemas.snapshot import encode_snapshot
from tests.agents.models.examples import CONSTANT, FEATURES, random_examples


def test_contributions_add_up_to_the_log_odds_against_the_mean() -> None:
    examples = random_examples(9, 1200)
    learner = LinearLearner(FEATURES)
    examples.learn(learner)
    snapshot = learner.snapshot(0)
    model = LinearScorer(snapshot, FEATURES)
    contributions = model.contributions(examples.vectors)
    expected = model.log_odds(examples.vectors) - snapshot.state["intercept"]
    np.testing.assert_allclose(contributions.sum(axis=1), expected, rtol=0.0, atol=1e-12)
    within_limit = [0, 1, 2, 5]
    learned = contributions[examples.weights > 0.0]
    np.testing.assert_allclose(np.average(learned[:, within_limit], axis=0), 0.0, atol=1e-9)
    assert not contributions[:, CONSTANT].any()  # a constant column says nothing


def test_calibration_keeps_the_order_of_the_log_odds() -> None:
    examples = random_examples(10, 1500)
    learner = LinearLearner(FEATURES)
    examples.learn(learner)
    model = LinearScorer(learner.snapshot(0), FEATURES)
    order = np.argsort(model.log_odds(examples.vectors))
    assert (np.diff(model.predict(examples.vectors)[order]) >= 0.0).all()


def test_a_vector_that_is_not_finite_is_never_learned() -> None:
    examples = random_examples(15, 2)
    examples.vectors[1, 0] = np.nan
    learner = LinearLearner(FEATURES)
    before = encode_snapshot(learner.snapshot(0))
    with pytest.raises(AssertionError, match="finite"):
        examples.learn(learner)
    assert encode_snapshot(learner.snapshot(0)) == before
