"""The forest through what makes it adaptive: splits, warnings, and trees that are replaced."""

from __future__ import annotations

import numpy as np
import pytest
from river.forest import ARFClassifier

from agents.models.forest import model as forests
from agents.models.forest.model import CONTROLS_APART, ForestLearner, ForestScorer
from schemas.snapshot import decode_snapshot, encode_snapshot
from tests.agents.models.examples import DAY, FEATURES, Examples, in_river_units

ROWS = 6000
CHANGES_AT = 3000


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forests, "TREES", 5)


def changing_examples(seed: int) -> Examples:
    """Return frauds and controls that change places half way."""
    rng = np.random.default_rng(seed)
    labels = rng.random(ROWS) < 0.2
    vectors = rng.normal(0.0, 1.0, (ROWS, len(FEATURES))).astype(np.float32)
    sign = np.where(np.arange(ROWS) < CHANGES_AT, 1.0, -1.0)
    vectors[:, 0] += 3.0 * sign * labels
    vectors[:, 2] += np.exp(2.0 * sign * labels)
    vectors[:, [1, 4]] = np.abs(vectors[:, [1, 4]])
    created = 1.7e9 + np.linspace(0.0, 40 * DAY, ROWS)
    return Examples(vectors, labels, np.ones(ROWS), created, np.where(labels, 1.0, 0.0))


def rivers_own(examples: Examples) -> ARFClassifier:
    forest = ARFClassifier(
        n_models=forests.TREES,
        leaf_prediction="mc",
        disable_weighted_vote=True,
        seed=1,
    )
    controls = 0
    rows = zip(in_river_units(examples, ROWS).to_learn, examples.labels.tolist(), strict=True)
    for row, fraud in rows:
        controls += not fraud
        if fraud or controls % CONTROLS_APART == 0:
            forest.learn_one(row, fraud)
    return forest


def saved_at(examples: Examples, cuts: list[int]) -> ForestLearner:
    """Learn, going through a snapshot at each cut."""
    learner = ForestLearner(FEATURES)
    for start, stop in zip([0, *cuts], [*cuts, ROWS], strict=True):
        examples.of(slice(start, stop)).learn(learner)
        snapshot = decode_snapshot(encode_snapshot(learner.snapshot(0)))
        learner = ForestLearner.from_snapshot(snapshot, FEATURES)
    return learner


@pytest.mark.parametrize("seed", range(2))
def test_it_is_rivers_forest_through_warnings_and_drifts(seed: int) -> None:
    examples = changing_examples(seed)
    forest = rivers_own(examples)
    assert forest.n_warnings_detected() > 0
    assert forest.n_drifts_detected() > 0
    assert sum(tree.n_nodes for tree in forest) > 5 * forests.TREES
    # Around the change trees have others that grow behind them.
    learner = saved_at(examples, [500, *range(CHANGES_AT, CHANGES_AT + 1000, 50), 5000])
    scorer = ForestScorer(learner.snapshot(0), FEATURES)
    shares = [
        forest.predict_proba_one(row).get(True, 0.0)
        for row in in_river_units(examples, ROWS).to_score
    ]
    limited = np.clip(shares, 1e-5, 1.0 - 1e-5)
    np.testing.assert_allclose(
        scorer.log_odds(examples.vectors), np.log(limited / (1.0 - limited)), rtol=0.0, atol=1e-9
    )
    undisturbed = ForestLearner(FEATURES)
    examples.learn(undisturbed)
    assert encode_snapshot(learner.snapshot(0)) == encode_snapshot(undisturbed.snapshot(0))


def test_what_the_columns_contribute_adds_up() -> None:
    examples = changing_examples(2)
    learner = ForestLearner(FEATURES)
    examples.of(slice(CHANGES_AT)).learn(learner)
    scorer = ForestScorer(learner.snapshot(0), FEATURES)
    added = scorer.contributions(examples.vectors)
    log_odds = scorer.log_odds(examples.vectors)
    without = log_odds - added.sum(axis=1)
    has_moved = np.abs(added).max(axis=1) > 0.0
    np.testing.assert_allclose(without[has_moved], without[has_moved][0], rtol=0.0, atol=1e-9)
    # What tells fraud is in the first and the third column.
    speaks = np.abs(added[:CHANGES_AT]).sum(axis=0)
    assert set(np.argsort(speaks)[-2:]) == {0, 2}


def test_a_tree_of_one_kind_is_nearly_sure() -> None:
    examples = changing_examples(3)
    genuine = examples.of(~examples.labels)
    learner = ForestLearner(FEATURES)
    genuine.learn(learner)
    scorer = ForestScorer(learner.snapshot(0), FEATURES)
    np.testing.assert_allclose(scorer.log_odds(genuine.vectors[:5]), np.log(1e-5), rtol=1e-4)
    assert not scorer.contributions(genuine.vectors[:5]).any()


def test_a_tree_with_enough_leaves_grows_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forests, "LEAVES_MAX", 3)
    learner = ForestLearner(FEATURES)
    changing_examples(4).learn(learner)
    leaves = [tree.n_active_leaves for tree in learner._part._forest]
    assert max(leaves) == 3
    grown = ForestLearner(FEATURES)
    monkeypatch.undo()
    changing_examples(4).learn(grown)
    assert max(tree.n_active_leaves for tree in grown._part._forest) > 3
