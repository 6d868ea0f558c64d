"""The prior: its sum by hand, and what it does without the features it knows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agents.models.kinds import scorer
from agents.models.prior import BASE_RATE, PriorScorer, Term
from streams.features.spec import Feature

FEATURES = [
    Feature("other", "card", "count", "none", "0", "{value}"),
    Feature("count", "card", "count", "log1p", "0", "{value}"),
    Feature("failed", "charge", "flag", "none", "0", "{value}"),
]
TERMS = [
    Term("count", math.log1p(1.0), 2.0, 0.0, 3.0),
    Term("failed", 0.0, 1.5, 0.0, 1.5),
    Term("unheard_of", 0.0, 9.0, 0.0, 9.0),
]


def test_it_adds_the_terms_to_the_base_rate() -> None:
    vectors = np.array([[5, 1, 0], [5, 3, 1], [5, 0, 0], [5, 1e6, 1]], np.float32)
    prior = PriorScorer(FEATURES, TERMS)
    base = math.log(BASE_RATE / (1 - BASE_RATE))
    expected = [0.0, 2.0 * math.log(4.0 / 2.0) + 1.5, 0.0, 3.0 + 1.5]
    np.testing.assert_allclose(
        prior.predict(vectors), [1 / (1 + math.exp(-base - added)) for added in expected]
    )
    np.testing.assert_allclose(prior.contributions(vectors).sum(axis=1), expected)
    assert not prior.contributions(vectors)[:, 0].any()


def test_without_any_feature_it_knows_it_says_the_base_rate() -> None:
    vectors = np.ones((3, 1), np.float32)
    result = PriorScorer(FEATURES[:1]).predict(vectors)
    assert result.tolist() == pytest.approx([BASE_RATE] * 3)


def test_it_scores_until_a_model_is_ready() -> None:
    assert scorer(None, FEATURES).version == "prior"
