"""The risk: a place among the scores of recent charges, whichever model scores."""

from __future__ import annotations

import numpy as np
import pytest

from agents.models.kinds import KINDS
from agents.models.prior import PriorScorer
from tests.agents.models.boosting import fresh_learner
from tests.agents.models.examples import DAY, PLAIN, Examples, random_examples


def charges(seed: int, rows: int, fraud_rate: float) -> Examples:
    """Return charges that all have matured, in the order of their time."""
    examples = random_examples(seed, rows, fraud_rate)
    return examples._replace(
        vectors=np.ascontiguousarray(examples.vectors[:, : len(PLAIN)]),
        weights=np.ones(rows),
        stands_for=np.ones(rows),
        created=np.linspace(0.0, 90 * DAY, rows),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_each_risk_keeps_its_share_of_the_charges_from_version_to_version(kind: str) -> None:
    learner = fresh_learner(kind, PLAIN, charges(4, 5_000, 0.05))
    fresh = charges(1, 20_000, 0.05)
    history = charges(2, 20_000, 0.05)
    for start in (0, 10_000):
        history.of(slice(start, start + 10_000)).learn(learner)
        scorer = KINDS[kind].scorer(learner.snapshot(0), PLAIN)
        risks = scorer.risks(scorer.predict(fresh.vectors))
        for threshold in (80, 90, 95):
            share = float((risks >= threshold).mean())
            # The first version scores with what was counted while it changed the most: of other
            # seeds it is 0.17 to 0.33 where 0.2 is meant, with any rule of learning so far.
            allowed = 0.15 if start == 0 else 0.05
            assert share == pytest.approx(1.0 - threshold / 100.0, abs=allowed), (start, threshold)


@pytest.mark.parametrize("kind", KINDS)
def test_a_higher_score_has_no_lower_risk(kind: str) -> None:
    learner = fresh_learner(kind, PLAIN, charges(4, 5_000, 0.05))
    charges(3, 5_000, 0.1).learn(learner)
    scores = np.sort(np.concatenate([[0.0, 1.0], np.geomspace(1e-9, 1.0, 1000)[:-1]]))
    for scorer in (KINDS[kind].scorer(learner.snapshot(0), PLAIN), PriorScorer(PLAIN)):
        risks = scorer.risks(scores).astype(int)
        assert (np.diff(risks) >= 0).all()
        assert risks[0] <= 1
        assert risks[-1] == 99
