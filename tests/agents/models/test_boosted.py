"""Boosted trees against LightGBM's own words, and what ways through its own dump give."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
import pytest

from agents.models.boosted.model import BoostedLearner
from agents.models.boosted.trainer import EVERY_S, LEAST_FRAUDS, Trainer
from agents.models.boosted.training import PARAMETERS, trees_of
from agents.models.boosted.trees import TreeScores, from_state
from agents.models.columns import Columns
from streams.features.spec import Feature
from tests.agents.models.boosting import as_rows, boosters
from tests.agents.models.examples import FEATURES, PLAIN, random_examples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.models.boosted.trees import Trees
    from streams.events.rows import Rows

COLUMNS = len(PLAIN)


def lightgbms(seed: int, leaves: int = 15) -> tuple[lightgbm.Booster, NDArray[np.float64]]:
    """Return trees of LightGBM, and rows at, beside and far from what they have learned."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(3000, COLUMNS)).astype(np.float32)
    rows[:, 3], rows[:, 5] = 0.0, rng.integers(0, 3, len(rows))
    labels = rows[:, 0] * rows[:, 1] + rows[:, 5] + rng.normal(size=len(rows)) > 2.0
    data = lightgbm.Dataset(rows, labels, params=PARAMETERS)
    booster = lightgbm.train({**PARAMETERS, "num_leaves": leaves}, data, num_boost_round=50)
    wild = rng.choice([0.0, -0.0, 1e-45, 1e30, -1e30, 1.0, 2.0], (500, COLUMNS))
    return booster, np.concatenate([rows, wild])


def way(node: dict[str, Any], row: NDArray[np.float64], gone: int = -1) -> list[dict[str, Any]]:
    """Return the nodes that a row comes by in a tree of a dump.

    A branch that looks at the column that is gone is as if its child of more examples were there.
    """
    nodes = []
    while "split_feature" in node:
        column = node["split_feature"]
        left, right = node["left_child"], node["right_child"]
        if column == gone:
            node = right if examples_in(left) < examples_in(right) else left
            continue
        nodes.append(node)
        node = left if row[column] <= node["threshold"] else right
    return [*nodes, node]


def examples_in(node: dict[str, Any]) -> int:
    return int(node["internal_count"] if "split_feature" in node else node.get("leaf_count", 0))


def leaves_of(node: dict[str, Any]) -> list[dict[str, Any]]:
    if "split_feature" not in node:
        return [node]
    return leaves_of(node["left_child"]) + leaves_of(node["right_child"])


def value(node: dict[str, Any]) -> float:
    """Return the mean of the leaves below, each as often as examples came to it."""
    leaves = leaves_of(node)
    if len(leaves) == 1:
        return float(leaves[0]["leaf_value"])
    values = [leaf["leaf_value"] for leaf in leaves]
    return float(np.average(values, weights=[leaf["leaf_count"] for leaf in leaves]))


def through_state(trees: Trees, features: list[Feature], known: list[Feature]) -> Trees:
    codes = [0] * len(known)
    names = [feature.name for feature in known]
    return from_state(trees.state(), Columns(features, list(zip(names, codes, strict=True))))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("leaves", [2, 15, 63])
def test_they_say_what_lightgbm_says(seed: int, leaves: int) -> None:
    booster, rows = lightgbms(seed, leaves)
    scores = TreeScores(trees_of(booster.dump_model()))
    expected = booster.predict(rows, raw_score=True)
    np.testing.assert_allclose(scores.log_odds(rows), expected, rtol=0.0, atol=1e-9)


def test_a_missing_number_and_a_category_score_as_they_were_trained() -> None:
    """Both are numbers by then; the rows are the project's own, what is said of them LightGBM's."""
    learner = BoostedLearner(FEATURES)
    learner.adopt(boosters().trained)
    examples = random_examples(51, 1000)
    assert np.isnan(examples.vectors).any()
    assert (examples.vectors[:, 6] == 0.0).any()
    examples.learn(learner)
    rows = learner._transforms.apply(learner._columns.of_vectors(examples.vectors))
    log_odds = learner._part.scores.log_odds(rows)
    np.testing.assert_allclose(log_odds, boosters().predict(rows), rtol=0.0, atol=1e-9)


@pytest.mark.parametrize("seed", range(2))
def test_contributions_are_the_steps_of_the_ways(seed: int) -> None:
    booster, rows = lightgbms(seed)
    dumped, rows = booster.dump_model(), rows[::50]
    scores = TreeScores(trees_of(dumped))
    expected = np.zeros(rows.shape)
    roots = 0.0
    for tree in dumped["tree_info"]:
        roots += value(tree["tree_structure"])
        for place, row in enumerate(rows):
            nodes = way(tree["tree_structure"], row)
            for node, after in pairwise(nodes):
                expected[place, node["split_feature"]] += value(after) - value(node)
    added = scores.contributions(rows)
    np.testing.assert_allclose(added, expected, rtol=0.0, atol=1e-9)
    np.testing.assert_allclose(added.sum(axis=1) + roots, scores.log_odds(rows), atol=1e-9)


@pytest.mark.parametrize("gone", [0, 1, 5])
def test_a_column_that_is_gone_makes_way_for_the_child_of_more_examples(gone: int) -> None:
    known = [Feature(f"x{i}", "charge", "count", "none", "0", "{value}") for i in range(COLUMNS)]
    booster, rows = lightgbms(gone)
    dumped = booster.dump_model()
    left = [feature for place, feature in enumerate(known) if place != gone]
    trees = through_state(trees_of(dumped), left, known)
    assert gone in {
        node["split_feature"] for tree in dumped["tree_info"] for node in [tree["tree_structure"]]
    }
    expected = [
        sum(
            way(tree["tree_structure"], row, gone)[-1]["leaf_value"] for tree in dumped["tree_info"]
        )
        for row in rows[::20]
    ]
    log_odds = TreeScores(trees).log_odds(np.delete(rows[::20], gone, axis=1))
    np.testing.assert_allclose(log_odds, expected, rtol=0.0, atol=1e-9)


def labelled(seed: int, rows: int, days: float) -> Rows:
    """Return EXAMPLE[N] that were labelled over so many days."""
    examples = as_rows(random_examples(seed, rows), FEATURES)
    rng = np.random.default_rng(seed)
    examples["labelled_at"] = (
        1.7e9 + rng.uniform(0.0, EVERY_S) + np.linspace(0.0, days * 86_400, rows)
    )
    return examples


def all_trained(examples: Rows, sizes: list[int]) -> list[tuple[int, bytes]]:
    """Return where trees were trained, and what they are, if examples come in such batches."""
    trainer, trained, start, number = Trainer(FEATURES), [], 0, 0
    while start < len(examples):
        stop = min(start + sizes[number % len(sizes)], len(examples))
        count = trainer.take(examples[start:stop], range(start, stop))
        if trainer.is_due and (found := trainer.train()) is not None:
            assert found.offset == start + count
            trained.append((found.offset, repr(found.trees.state()).encode()))
        start, number = start + count, number + 1
    return trained


def test_when_trees_are_trained_and_what_they_are_depends_on_the_examples_alone() -> None:
    examples = labelled(60, 6000, 5.0)
    at_once, in_parts = all_trained(examples, [6000]), all_trained(examples, [1, 700, 13])
    assert at_once == in_parts
    stretches = examples["labelled_at"] // EVERY_S
    firsts = np.flatnonzero(np.diff(stretches)) + 1
    frauds = np.cumsum((examples["label"] == 1) & (examples["weight"] > 0.0))
    assert [offset for offset, _ in at_once] == [
        first for first in firsts.tolist() if frauds[first - 1] >= LEAST_FRAUDS
    ]
    assert len(at_once) >= 4


def test_examples_that_teach_nothing_are_not_kept() -> None:
    examples = labelled(63, 3000, 3.0)
    examples["weight"] = 0.0
    trainer = Trainer(FEATURES)
    trainer.take_all(examples, range(3000))
    assert trainer.is_due
    assert not trainer._kept
    assert trainer.train() is None


def test_an_example_that_was_labelled_late_trains_nothing() -> None:
    examples = labelled(61, 3000, 3.0)
    examples["labelled_at"] = examples["labelled_at"].max()
    examples["labelled_at"][1::2] -= 3 * EVERY_S
    assert all_trained(examples, [100]) == []


def test_only_the_newest_examples_are_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def train(rows: NDArray[np.float32], *_: object) -> None:
        seen.append(len(rows))

    monkeypatch.setattr("agents.models.boosted.trainer.WINDOW_EXAMPLES", 1500)
    monkeypatch.setattr("agents.models.boosted.trainer.train", train)
    examples = labelled(62, 6000, 1.0)
    trainer = Trainer(FEATURES)
    for start in range(0, 6000, 250):
        trainer.take_all(examples[start : start + 250], range(start, start + 250))
        trainer.train()
    taught = np.cumsum(examples["weight"] > 0.0)[249::250]
    frauds = np.cumsum(examples["label"] == 1)[249::250]
    assert seen == [min(int(n), 1500) for n in taught[frauds >= LEAST_FRAUDS]]
