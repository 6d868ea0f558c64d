"""Every kind of model goes on from a snapshot of other features: in another order, more, fewer."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from msgspec.structs import replace

from agents.evaluation.metrics import average_precision
from agents.models import additive, linear, stack
from agents.models.forest import model as forest
from agents.models.kinds import KINDS, restored_learner, scorer
from agents.models.protocols import SnapshotMismatchError
from schemas.snapshot import decode_snapshot, encode_snapshot
from streams.features.spec import Feature
from tests.agents.models.boosting import adopt, fresh_learner
from tests.agents.models.examples import DAY, FEATURES, Examples, in_river_units, random_examples
from tests.agents.models.river_models import RIVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.models.protocols import Learner
    from schemas.snapshot import Snapshot

ROWS = 2000
LARGEST = float(np.finfo(np.float32).max)
ORDER = [3, 1, 7, 5, 0, 6, 2, 4]
PERMUTED = [FEATURES[place] for place in ORDER]
NEW = Feature("new", "charge", "count", "none", "0", "{value}")
MORE = [*FEATURES[:2], NEW, *FEATURES[2:]]
GONE = FEATURES[0].name
FEWER = FEATURES[1:]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forest, "TREES", 5)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return cast("str", request.param)


def through_json(snapshot: Snapshot) -> Snapshot:
    return decode_snapshot(encode_snapshot(snapshot))


def learned(kind: str, examples: Examples) -> Snapshot:
    learner = fresh_learner(kind)
    examples.learn(learner)
    return through_json(learner.snapshot(0))


@cache
def learned_from(kind: str, seed: int) -> Snapshot:
    """Return what a kind has learned from random examples, once for all tests of these."""
    return learned(kind, random_examples(seed, ROWS))


def scorer_of(snapshot: Snapshot, features: list[Feature] = FEATURES) -> Any:
    return KINDS[snapshot.kind].scorer(snapshot, features)


def in_order_of(
    features: list[Feature], examples: Examples, new: NDArray[np.float64] | None = None
) -> Examples:
    """Return examples of `FEATURES` as those of others; `new` are the values of `NEW`."""
    columns = {f.name: examples.vectors[:, place] for place, f in enumerate(FEATURES)}
    if new is not None:
        columns[NEW.name] = new.astype(np.float32)
    vectors = np.stack([columns[feature.name] for feature in features], axis=1)
    return examples._replace(vectors=np.ascontiguousarray(vectors))


def told_by_the_new(seed: int, rows: int = ROWS) -> Examples:
    """Return examples of `MORE`, where nothing but `NEW` tells fraud."""
    rng = np.random.default_rng(seed)
    labels = rng.random(rows) < 0.2
    vectors = np.abs(rng.normal(0.0, 1.0, (rows, len(MORE)))).astype(np.float32)
    vectors[:, MORE.index(NEW)] = rng.normal(0.0, 1.0, rows) + 3.0 * labels
    created = 1.75e9 + np.linspace(0.0, 40 * DAY, rows)
    return Examples(vectors, labels, np.ones(rows), created, np.where(labels, 1.0, 10.0))


def of_features(features: list[Feature], examples: Examples) -> Examples:
    """Return examples of `MORE` as those of some of them."""
    places = [MORE.index(feature) for feature in features]
    return examples._replace(vectors=np.ascontiguousarray(examples.vectors[:, places]))


def probabilities(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-log_odds))


def test_the_order_makes_no_difference(kind: str) -> None:
    examples = random_examples(20, ROWS)
    permuted = in_order_of(PERMUTED, examples)
    first, then = slice(0, 1000), slice(1000, ROWS)
    snapshot = learned(kind, examples.of(first))
    model, other = scorer_of(snapshot), scorer_of(snapshot, PERMUTED)
    scores = model.predict(examples.vectors)
    assert other.predict(permuted.vectors).tobytes() == scores.tobytes()
    assert other.risks(scores).tobytes() == model.risks(scores).tobytes()
    expected = np.ascontiguousarray(model.contributions(examples.vectors)[:, ORDER])
    assert other.contributions(permuted.vectors).tobytes() == expected.tobytes()
    undisturbed = fresh_learner(kind)
    examples.learn(undisturbed)
    learner = restored_learner(snapshot, PERMUTED)
    permuted.of(then).learn(learner)
    assert encode_snapshot(learner.snapshot(0)) == encode_snapshot(undisturbed.snapshot(0))


@pytest.mark.parametrize("features", [MORE, [NEW, *FEATURES], [*FEATURES, NEW]])
def test_a_new_feature_adds_nothing_until_it_is_learned(kind: str, features: list[Feature]) -> None:
    examples = random_examples(21, ROWS)
    snapshot = learned_from(kind, 21)
    expected = scorer_of(snapshot).predict(examples.vectors)
    at_once = through_json(restored_learner(snapshot, features).snapshot(0))
    for values in ([NEW.default], [LARGEST, -LARGEST, 0.0, 1e-45]):
        new = np.random.default_rng(21).choice(values, ROWS)
        vectors = in_order_of(features, examples, new).vectors
        for model in (scorer_of(snapshot, features), scorer_of(at_once, features)):
            assert model.predict(vectors).tobytes() == expected.tobytes()
            contributions = model.contributions(vectors)
            assert not contributions[:, features.index(NEW)].any()
            known = [features.index(feature) for feature in FEATURES]
            np.testing.assert_allclose(
                contributions[:, known],
                scorer_of(snapshot).contributions(examples.vectors),
                rtol=0.0,
                atol=1e-12,
            )


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", [additive.KIND, linear.KIND])
@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_a_new_feature_is_learned_as_river_learns_it(kind: str, seed: int, count: int) -> None:
    """River has a mean, a variance and a weight of each feature since it has seen it first."""
    examples = random_examples(seed, ROWS)
    new = np.random.default_rng(seed).normal(5.0, 3.0, ROWS) + 2.0 * examples.labels
    came_at, end = 700, 700 + count
    model, rows = RIVER[kind](), in_river_units(examples, end)
    values = new.astype(np.float32).tolist()
    to_learn = [row | {NEW.name: value} for row, value in zip(rows.to_learn, values, strict=False)]
    given = [*rows.to_learn[:came_at], *to_learn[came_at:]]
    labels, weights = examples.labels.tolist(), examples.weights.tolist()
    for row, label, weight in zip(given, labels, weights, strict=False):
        if weight > 0.0:
            model.learn_one(row, label, w=weight)
    learner = restored_learner(learned(kind, examples.of(slice(came_at))), MORE)
    more = in_order_of(MORE, examples, new)
    more.of(slice(came_at, end)).learn(learner)
    log_odds = scorer_of(through_json(learner.snapshot(0)), MORE).log_odds(more.vectors)
    with_new = [row | {NEW.name: value} for row, value in zip(rows.to_score, values, strict=True)]
    expected = [model.predict_proba_one(row)[True] for row in with_new]
    np.testing.assert_allclose(probabilities(log_odds), expected, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", [additive.KIND, linear.KIND, forest.KIND])
def test_a_gone_feature_is_left_out_as_in_river(kind: str, seed: int) -> None:
    """To river's linear model and forest it is missing; to the additive one it is at its mean."""
    examples = random_examples(seed, ROWS)
    model, rows = RIVER[kind](), in_river_units(examples, ROWS)
    for row, label, weight in zip(
        rows.to_learn, examples.labels.tolist(), examples.weights.tolist(), strict=True
    ):
        if weight > 0.0:
            model.learn_one(row, label, w=weight)
    if kind == forest.KIND:
        assert any(
            getattr(node, "feature", None) == GONE
            for tree in model._model
            for node in tree._root.iter_dfs()
        )
    without = [
        {name: value for name, value in row.items() if name != GONE} for row in rows.to_score
    ]
    if kind == additive.KIND:
        mean = np.mean([row[GONE] for row in rows.to_learn], where=examples.weights > 0.0)
        without = [row | {GONE: float(mean)} for row in without]
    expected = [model.predict_proba_one(row)[True] for row in without]
    vectors = in_order_of(FEWER, examples).vectors
    snapshot = learned(kind, examples)
    at_once = through_json(restored_learner(snapshot, FEWER).snapshot(0))
    for each in (snapshot, at_once):
        log_odds = scorer_of(each, FEWER).log_odds(vectors)
        np.testing.assert_allclose(probabilities(log_odds), expected, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("features", [FEWER, MORE, [NEW, *FEWER[::-1]]])
def test_the_stack_is_made_of_its_parts_over_other_features(features: list[Feature]) -> None:
    examples = random_examples(23, ROWS)
    snapshot = learned(stack.KIND, examples)
    vectors = in_order_of(features, examples, np.full(ROWS, 7.0)).vectors
    weights, expected = snapshot.state["weights"], snapshot.state["intercept"]
    for part in (additive.KIND, forest.KIND):
        alone = scorer_of(learned(part, examples), features)
        expected = expected + weights[part] * alone.log_odds(vectors)
    log_odds = scorer_of(snapshot, features).log_odds(vectors)
    np.testing.assert_allclose(log_odds, expected, rtol=0.0, atol=1e-12)


def test_a_feature_with_another_transform_is_gone_and_new(kind: str) -> None:
    changed = Feature(GONE, "charge", "count", "log1p", "never", "{value}")
    assert FEATURES[0].transform == "none"
    examples = random_examples(24, ROWS)
    snapshot = learned(kind, examples)
    expected = scorer_of(snapshot, FEWER).predict(in_order_of(FEWER, examples).vectors)
    model = scorer_of(snapshot, [changed, *FEWER])
    assert model.predict(examples.vectors).tobytes() == expected.tobytes()
    assert not model.contributions(examples.vectors)[:, 0].any()


@pytest.mark.parametrize("features", [MORE, [NEW, *FEWER[::-1]], FEWER])
@pytest.mark.parametrize("cut", [0, 1, 700])
def test_a_learner_of_other_features_is_restored_bit_for_bit(
    kind: str, features: list[Feature], cut: int
) -> None:
    snapshot = learned_from(kind, 25)
    then = of_features(features, told_by_the_new(25))
    undisturbed = restored_learner(snapshot, features)
    then.learn(undisturbed)
    restored: Learner = restored_learner(snapshot, features)
    for part in (slice(0, cut), slice(cut, ROWS)):
        restored = restored_learner(through_json(restored.snapshot(0)), features)
        then.of(part).learn(restored)
    assert encode_snapshot(restored.snapshot(0)) == encode_snapshot(undisturbed.snapshot(0))


@pytest.mark.parametrize("features", [MORE, [NEW, *FEATURES[::-1]], [*FEWER, NEW]])
def test_it_learns_what_the_new_feature_tells(kind: str, features: list[Feature]) -> None:
    rows = 6000
    snapshot = learned_from(kind, 26)
    fresh = of_features(features, told_by_the_new(126))
    learner = restored_learner(snapshot, features)
    adopt(learner, of_features(features, told_by_the_new(226, rows)), features)
    of_features(features, told_by_the_new(26, rows)).learn(learner)
    before, after = (
        scorer_of(each, features) for each in (snapshot, through_json(learner.snapshot(0)))
    )
    found = [
        cast("float", average_precision(model.predict(fresh.vectors), fresh.labels))
        for model in (before, after)
    ]
    assert found[0] < 0.3
    assert found[1] > 0.8
    assert np.abs(after.log_odds(fresh.vectors)).max() < 20.0
    column = features.index(NEW)
    added = np.abs(after.contributions(fresh.vectors)).sum(axis=0)
    assert int(np.argmax(added)) == column


def test_a_snapshot_of_an_older_version_knows_all_features_from_the_beginning(kind: str) -> None:
    snapshot = learned(kind, random_examples(27, ROWS))
    older = through_json(snapshot)
    for state in (older.state, older.state.get("additive", {})):
        state.pop("began", None)
    for features in (FEATURES, MORE):
        resumed = [
            encode_snapshot(restored_learner(each, features).snapshot(0))
            for each in (snapshot, older)
        ]
        assert resumed[0] == resumed[1]
    restored = restored_learner(older, FEATURES).snapshot(0)
    assert encode_snapshot(restored) == encode_snapshot(snapshot)


def malformed(state: dict[str, Any]) -> list[dict[str, Any]]:
    """Return states of which something is missing, too short, or no number."""
    found = []
    for key, value in state.items():
        if key == "began":  # older versions have none
            continue
        found.append({name: each for name, each in state.items() if name != key})
        if key in {"additive", "forest", "boosted"}:
            found += [state | {key: each} for each in malformed(value)]
        elif key == "cells":
            found += [state | {key: value | {"places": each}} for each in ("AAAA", "////", 7)]
        elif key == "trees" and isinstance(value, dict):
            found += [state | {key: trees} for trees in malformed_trees(value)]
        elif key in {"trees", "background"}:
            trees = [place for place, tree in enumerate(value) if tree]
            for place in trees[:1]:
                found += [
                    state | {key: [*value[:place], tree, *value[place + 1 :]]}
                    for tree in malformed_trees(value[place])
                ]
        elif isinstance(value, list):
            found += [state | {key: each} for each in (value[:-1], [*value[:-1], "x"], None)]
    return found


def malformed_trees(tree: dict[str, Any]) -> list[dict[str, Any]]:
    columns, right = tree["columns"], tree["right"]
    return [
        {name: each for name, each in tree.items() if name != "columns"},
        tree | {"columns": columns | {"numbers": "eJw="}},
        tree | {"columns": right},
        tree | {"right": columns},
        tree | {"thresholds": columns},
    ]


def test_nothing_is_restored_from_a_malformed_state(kind: str) -> None:
    examples = random_examples(28, ROWS)
    snapshot = learned(kind, examples)
    states = malformed(snapshot.state)
    assert len(states) > 8
    for state in states:
        for features in (FEATURES, MORE, FEWER):
            with pytest.raises(SnapshotMismatchError, match="malformed state"):
                restored_learner(replace(snapshot, state=state), features)
    for names in (snapshot.features[:-1], (*snapshot.features[:-1], snapshot.features[0])):
        with pytest.raises(SnapshotMismatchError, match="malformed state"):
            restored_learner(replace(snapshot, features=names), FEATURES)


def test_a_malformed_state_does_not_score(kind: str) -> None:
    examples = random_examples(29, ROWS)._replace(weights=np.ones(ROWS))
    learner = fresh_learner(kind)
    for _ in range(3):  # a model may learn from some of them
        examples.learn(learner)
    snapshot = through_json(learner.snapshot(0))
    assert scorer(snapshot, MORE).version == snapshot.version
    with pytest.raises(SnapshotMismatchError, match="malformed state"):
        scorer(replace(snapshot, features=snapshot.features[:-1]), FEATURES)
    with pytest.raises(SnapshotMismatchError, match="malformed state"):
        scorer(replace(snapshot, state={}), FEATURES)
