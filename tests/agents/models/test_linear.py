"""The linear model against river itself, and its snapshots against uninterrupted learning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from river.compose import FuncTransformer
from river.linear_model import LogisticRegression
from river.optim import SGD
from river.preprocessing import StandardScaler

from agents.models.calibration import Calibration, calibrated
from agents.models.interface import SnapshotMismatchError
from agents.models.linear import LEARNING_RATE, LinearLearner, LinearScorer, is_ready
from agents.models.prior import BASE_RATE
from agents.models.registry import scorer
from schemas.snapshot import decode_snapshot, encode_snapshot
from streams.feature import Feature

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streams.feature import Transform

TRANSFORMS: tuple[Transform, ...] = ("none", "log1p", "signed_log", "none", "log1p", "none")
FEATURES = [
    Feature(f"f{i}", "charge", "count", transform, "never", "{value}")
    for i, transform in enumerate(TRANSFORMS)
]

Stream = tuple[
    "NDArray[np.float32]", "NDArray[np.bool_]", "NDArray[np.float64]", "NDArray[np.float64]"
]


def random_stream(seed: int, rows: int, fraud_rate: float = 0.1) -> Stream:
    """Return examples whose columns are skewed, signed, constant and almost constant."""
    rng = np.random.default_rng(seed)
    labels = rng.random(rows) < fraud_rate
    vectors = np.empty((rows, len(FEATURES)), np.float32)
    vectors[:, 0] = rng.normal(3.0, 2.0, rows) + labels
    vectors[:, 1] = rng.lognormal(2.0, 3.0, rows) * np.where(labels, 5.0, 1.0)
    vectors[:, 2] = rng.normal(0.0, 100.0, rows)
    vectors[:, 3] = 0.1
    vectors[:, 4] = rng.random(rows) < 0.001
    vectors[:, 5] = rng.random(rows) < 0.5
    weights = np.where(labels, 1.0, 10.0)
    created = 1.7e9 + np.sort(rng.uniform(0.0, 40 * 86400.0, rows))
    return vectors, labels, weights, created


def part(stream: Stream, start: int, stop: int) -> Stream:
    """Return the examples from `start` to `stop`."""
    vectors, labels, weights, created = stream
    return vectors[start:stop], labels[start:stop], weights[start:stop], created[start:stop]


def in_river_units(vectors: NDArray[np.float32]) -> list[dict[str, float]]:
    """Return the transformed rows as river takes them, by numpy instead of the kernels."""
    values = vectors.astype(np.float64)
    for column, transform in enumerate(TRANSFORMS):
        if transform == "log1p":
            values[:, column] = np.log1p(values[:, column])
        elif transform == "signed_log":
            values[:, column] = np.sign(values[:, column]) * np.log1p(np.abs(values[:, column]))
    names = [feature.name for feature in FEATURES]
    return [dict(zip(names, row, strict=True)) for row in values.tolist()]


def limited(row: dict[str, float]) -> dict[str, float]:
    """Return the standardised row within 20 deviations."""
    return {name: min(20.0, max(-20.0, value)) for name, value in row.items()}


@pytest.mark.parametrize("seed", range(5))
def test_scorer_equals_river_on_the_same_stream(seed: int) -> None:
    stream = vectors, labels, weights, _ = random_stream(seed, 1500)
    learner = LinearLearner(FEATURES)
    learner.learn(*part(stream, 0, 1000))

    model = (
        StandardScaler()
        | FuncTransformer(limited)
        | LogisticRegression(
            SGD(LEARNING_RATE),
            intercept_init=float(np.log(BASE_RATE / (1 - BASE_RATE))),
            intercept_lr=LEARNING_RATE,
        )
    )
    rows = in_river_units(vectors)
    for row, label, weight in zip(rows[:1000], labels.tolist(), weights.tolist(), strict=False):
        model.learn_one(row, label, w=weight)

    expected = [model.predict_proba_one(row)[True] for row in rows[1000:]]
    log_odds = LinearScorer(learner.snapshot(0), FEATURES).log_odds(vectors[1000:])
    np.testing.assert_allclose(1.0 / (1.0 + np.exp(-log_odds)), expected, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("examples", [0, 1, 2])
def test_scorer_equals_river_before_there_is_any_variance(examples: int) -> None:
    vectors, labels, weights, created = random_stream(0, 5)
    learner = LinearLearner(FEATURES)
    learner.learn(vectors[:examples], labels[:examples], weights[:examples], created[:examples])
    model = (
        StandardScaler()
        | FuncTransformer(limited)
        | LogisticRegression(
            SGD(LEARNING_RATE),
            intercept_init=float(np.log(BASE_RATE / (1 - BASE_RATE))),
            intercept_lr=LEARNING_RATE,
        )
    )
    rows = in_river_units(vectors)
    for i in range(examples):
        model.learn_one(rows[i], bool(labels[i]), w=float(weights[i]))
    log_odds = LinearScorer(learner.snapshot(0), FEATURES).log_odds(vectors)
    expected = [model.predict_proba_one(row)[True] for row in rows]
    np.testing.assert_allclose(1.0 / (1.0 + np.exp(-log_odds)), expected, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cut", [0, 1, 499, 700, 1500])
def test_a_restored_learner_goes_on_bit_for_bit(seed: int, cut: int) -> None:
    stream = random_stream(seed, 1500)
    uninterrupted = LinearLearner(FEATURES)
    uninterrupted.learn(*stream)

    first = LinearLearner(FEATURES)
    first.learn(*part(stream, 0, cut))
    restored = LinearLearner.from_snapshot(
        decode_snapshot(encode_snapshot(first.snapshot(cut))), FEATURES
    )
    restored.learn(*part(stream, cut, 1500))

    assert encode_snapshot(restored.snapshot(1500)) == encode_snapshot(uninterrupted.snapshot(1500))


def test_how_examples_are_cut_into_batches_makes_no_difference() -> None:
    stream = random_stream(7, 1000)
    at_once, one_by_one = LinearLearner(FEATURES), LinearLearner(FEATURES)
    at_once.learn(*stream)
    for i in range(1000):
        one_by_one.learn(*part(stream, i, i + 1))
    assert encode_snapshot(at_once.snapshot(1000)) == encode_snapshot(one_by_one.snapshot(1000))


def test_a_row_scores_the_same_alone_and_in_any_batch() -> None:
    stream = random_stream(8, 1200)
    learner = LinearLearner(FEATURES)
    learner.learn(*stream)
    model = LinearScorer(learner.snapshot(0), FEATURES)
    together = model.predict(stream[0])
    alone = np.concatenate([model.predict(stream[0][i : i + 1]) for i in range(1200)])
    assert together.tobytes() == alone.tobytes()


def test_contributions_add_up_to_the_log_odds_against_the_mean() -> None:
    stream = random_stream(9, 1200)
    learner = LinearLearner(FEATURES)
    learner.learn(*stream)
    snapshot = learner.snapshot(0)
    model = LinearScorer(snapshot, FEATURES)
    contributions = model.contributions(stream[0])
    expected = model.log_odds(stream[0]) - snapshot.state["intercept"]
    np.testing.assert_allclose(contributions.sum(axis=1), expected, rtol=0.0, atol=1e-12)
    within_limit = [0, 1, 2, 5]
    np.testing.assert_allclose(contributions[:, within_limit].mean(axis=0), 0.0, atol=1e-9)
    assert not contributions[:, 3].any()  # the constant column says nothing


def test_prediction_is_the_calibrated_log_odds() -> None:
    stream = random_stream(10, 1500)
    learner = LinearLearner(FEATURES)
    learner.learn(*stream)
    snapshot = learner.snapshot(0)
    model = LinearScorer(snapshot, FEATURES)
    curve = Calibration.from_state(snapshot.state["calibration"]).curve()
    expected = 1.0 / (1.0 + np.exp(-calibrated(model.log_odds(stream[0]), curve)))
    np.testing.assert_allclose(model.predict(stream[0]), expected, rtol=0.0, atol=1e-12)
    order = np.argsort(model.log_odds(stream[0]))
    assert (np.diff(model.predict(stream[0])[order]) >= 0.0).all()


def test_thinned_negatives_with_weights_keep_the_base_rate() -> None:
    vectors, labels, _, created = random_stream(11, 200_000, fraud_rate=0.02)
    rng = np.random.default_rng(12)
    kept = labels | (rng.random(200_000) < 0.1)
    learner = LinearLearner(FEATURES)
    learner.learn(vectors[kept], labels[kept], np.where(labels, 1.0, 10.0)[kept], created[kept])
    fresh, fresh_labels, _, _ = random_stream(13, 200_000, fraud_rate=0.02)
    predicted = LinearScorer(learner.snapshot(0), FEATURES).predict(fresh)
    assert predicted.mean() == pytest.approx(fresh_labels.mean(), rel=0.1)


def test_it_is_ready_once_it_has_seen_both_classes() -> None:
    vectors, _, weights, created = random_stream(14, 2000)
    learner = LinearLearner(FEATURES)
    learner.learn(vectors, np.ones(2000, bool), weights, created)
    assert not is_ready(learner.snapshot(0))
    assert scorer(learner.snapshot(0), FEATURES).version == "prior"
    learner.learn(vectors, np.zeros(2000, bool), weights, created)
    assert is_ready(learner.snapshot(0))
    assert scorer(learner.snapshot(0), FEATURES).version == "linear-0000004000"


def test_a_snapshot_of_other_features_or_kind_is_refused() -> None:
    snapshot = LinearLearner(FEATURES).snapshot(0)
    with pytest.raises(SnapshotMismatchError, match="missing \\[\\], unknown \\['f5'\\]"):
        LinearScorer(snapshot, FEATURES[:5])
    with pytest.raises(SnapshotMismatchError, match="other features"):
        LinearLearner.from_snapshot(snapshot, FEATURES[::-1])


def test_a_vector_that_is_not_finite_is_never_learned() -> None:
    vectors, labels, weights, created = random_stream(15, 2)
    vectors[1, 0] = np.nan
    learner = LinearLearner(FEATURES)
    before = encode_snapshot(learner.snapshot(0))
    with pytest.raises(AssertionError, match="finite"):
        learner.learn(vectors, labels, weights, created)
    assert encode_snapshot(learner.snapshot(0)) == before
