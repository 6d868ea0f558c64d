"""What every kind of model promises, whatever is inside it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
import pytest

from agents.evaluation.metrics import average_precision
from agents.models import additive, blend, linear, stack
from agents.models.boosted import model as boosted
from agents.models.columns import Columns
from agents.models.forest import model as forest
from agents.models.kinds import DEFAULT, KINDS, new_learner, restored_learner, scorer
from agents.models.prior import PriorScorer
from agents.models.protocols import Scorer, SnapshotMismatchError
from schemas.snapshot import decode_snapshot, encode_snapshot
from streams.features.spec import Feature
from tests.agents.models.boosting import fresh_learner
from tests.agents.models.examples import (
    DAY,
    FEATURES,
    Examples,
    in_river_units,
    random_examples,
)
from tests.agents.models.river_models import RIVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.models.protocols import Learner
    from schemas.snapshot import Snapshot

ROWS = 2000
LARGEST = float(np.finfo(np.float32).max)


class Uncalibrated(Scorer, Protocol):
    """A scorer that also tells what river's model says."""

    def log_odds(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds before calibration."""


FEWER_TREES = 5
"""Where a forest learns much: it is as true a forest, and twice as quick."""

BYTES_MAX = {
    linear.KIND: 100_000,
    additive.KIND: 100_000,
    forest.KIND: 500_000,
    stack.KIND: 550_000,
    boosted.KIND: 250_000,
    blend.KIND: 350_000,
}
"""Of a snapshot.

Of every feature each cell at most, the frauds of the last 30 days by tiles, and trees of so many
leaves.
"""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return cast("str", request.param)


def learned(kind: str, examples: Examples) -> Learner:
    learner = fresh_learner(kind)
    examples.learn(learner)
    return learner


def through_json(snapshot: Snapshot) -> Snapshot:
    return decode_snapshot(encode_snapshot(snapshot))


def scorer_of(learner: Learner) -> Uncalibrated:
    snapshot = through_json(learner.snapshot(0))
    return cast("Uncalibrated", KINDS[learner.kind].scorer(snapshot, FEATURES))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_it_equals_river(kind: str, seed: int, count: int) -> None:
    examples = random_examples(seed, count + 500)
    model, rows = RIVER[kind](), in_river_units(examples, count)
    for row, label, weight in zip(
        rows.to_learn, examples.labels.tolist(), examples.weights.tolist(), strict=False
    ):
        if weight > 0.0:
            model.learn_one(row, label, w=weight)
    expected = [model.predict_proba_one(row)[True] for row in rows.to_score]
    log_odds = scorer_of(learned(kind, examples.of(slice(count)))).log_odds(examples.vectors)
    np.testing.assert_allclose(1.0 / (1.0 + np.exp(-log_odds)), expected, rtol=0.0, atol=1e-12)


def test_the_same_examples_give_the_same_bytes_in_any_batches(kind: str) -> None:
    examples = random_examples(1, ROWS)
    at_once, one_by_one = learned(kind, examples), fresh_learner(kind)
    for row in range(ROWS):
        examples.of(slice(row, row + 1)).learn(one_by_one)
    snapshots = [encode_snapshot(learner.snapshot(7)) for learner in (at_once, one_by_one)]
    assert snapshots[0] == snapshots[1]


def test_a_row_scores_the_same_alone_and_in_any_batch(kind: str) -> None:
    vectors = random_examples(2, ROWS).vectors
    model = scorer_of(learned(kind, random_examples(3, ROWS)))
    for score in (model.predict, model.contributions):
        together = score(vectors)
        alone = np.concatenate([score(vectors[row : row + 1]) for row in range(ROWS)])
        assert together.tobytes() == alone.tobytes()
        backwards = score(np.ascontiguousarray(vectors[::-1]))
        assert backwards[::-1].tobytes() == together.tobytes()


@cache
def undisturbed(kind: str) -> bytes:
    """Return the snapshot of what learns without a cut."""
    return encode_snapshot(learned(kind, random_examples(4, ROWS)).snapshot(ROWS))


@pytest.mark.parametrize("cut", [0, 1, 1000, 1300, ROWS])
def test_a_restored_learner_goes_on_bit_for_bit(kind: str, cut: int) -> None:
    examples = random_examples(4, ROWS)
    first = learned(kind, examples.of(slice(cut)))
    restored = restored_learner(through_json(first.snapshot(cut)), FEATURES)
    examples.of(slice(cut, ROWS)).learn(restored)
    assert encode_snapshot(restored.snapshot(ROWS)) == undisturbed(kind)


def test_a_snapshot_survives_json_and_names_itself(kind: str) -> None:
    examples = random_examples(5, ROWS)
    learner, versions = fresh_learner(kind), set()
    for start in range(0, ROWS, 400):
        examples.of(slice(start, start + 400)).learn(learner)
        snapshot = learner.snapshot(offset=3 * start)
        assert through_json(snapshot) == snapshot
        assert (snapshot.kind, snapshot.name) == (kind, learner.name)
        assert (snapshot.offset, snapshot.examples) == (3 * start, start + 400)
        assert snapshot.created == examples.created[start + 399]
        assert snapshot.features == tuple(feature.name for feature in Columns(FEATURES).features)
        assert len(snapshot.version.encode()) <= 32  # what is kept of a scored charge
        versions.add(snapshot.version)
    assert len(versions) == 5


@cache
def model_of(kind: str, count: int) -> Uncalibrated:
    """Return what a model is after so many examples, once for all values that are tried."""
    return scorer_of(learned(kind, random_examples(6, count)))


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 1e-45, 1e30, LARGEST, -LARGEST])
def test_every_probability_is_one(kind: str, value: float) -> None:
    vectors = np.full((len(FEATURES) + 1, len(FEATURES)), 1.0, np.float32)
    np.fill_diagonal(vectors, value)
    vectors[-1] = value
    for count in (0, 1, 2, ROWS):
        model = model_of(kind, count)
        probabilities = model.predict(vectors)
        assert ((probabilities >= 0.0) & (probabilities <= 1.0)).all()
        assert np.isfinite(model.contributions(vectors)).all()
    assert model.predict(vectors[:0]).shape == (0,)
    assert model.contributions(vectors[:0]).shape == (0, len(FEATURES))


def test_learning_the_largest_values_leaves_it_finite(kind: str) -> None:
    examples = random_examples(7, ROWS)
    wild = np.random.default_rng(7).choice([LARGEST, -LARGEST, 0.0], examples.vectors.shape)
    learner = fresh_learner(kind)
    examples._replace(vectors=wild.astype(np.float32)).learn(learner)
    examples.learn(learner)
    assert np.isfinite(scorer_of(learner).predict(examples.vectors)).all()


def test_a_snapshot_does_not_grow_with_the_stream(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nearly two years of it, with disputes running 30 days ahead of silence."""
    monkeypatch.setattr(forest, "TREES", FEWER_TREES)
    rows = 32_000
    examples = random_examples(8, rows)
    ahead = np.where(examples.labels, 30 * DAY, 0.0)
    created = 1.7e9 + np.linspace(0.0, 640 * DAY, rows) + ahead
    snapshot = learned(kind, examples._replace(created=created)).snapshot(0)
    assert len(encode_snapshot(snapshot)) < BYTES_MAX[kind]


def test_a_snapshot_of_another_kind_is_refused(kind: str) -> None:
    for other in KINDS.keys() - {kind}:
        snapshot = learned(other, random_examples(9, 10)).snapshot(0)
        with pytest.raises(SnapshotMismatchError, match=f"of kind {other}, not {kind}"):
            KINDS[kind].scorer(snapshot, FEATURES)
        with pytest.raises(SnapshotMismatchError, match=f"of kind {other}, not {kind}"):
            KINDS[kind].learner.from_snapshot(snapshot, FEATURES)


def test_the_prior_scores_until_the_model_has_seen_enough_of_both_classes(kind: str) -> None:
    examples = random_examples(10, ROWS)._replace(weights=np.ones(ROWS))
    prior = PriorScorer(FEATURES).predict(examples.vectors)
    learner = fresh_learner(kind)
    assert scorer(learner.snapshot(0), FEATURES).version == "prior"
    examples._replace(labels=np.ones(ROWS, bool)).learn(learner)
    model = scorer(learner.snapshot(0), FEATURES)
    assert model.version == "prior"
    assert model.predict(examples.vectors).tobytes() == prior.tobytes()
    for _ in range(3):  # a model may learn from some of them
        examples._replace(labels=np.zeros(ROWS, bool)).learn(learner)
    assert scorer(learner.snapshot(0), FEATURES).version == learner.snapshot(0).version


def test_the_default_is_one_of_them() -> None:
    learner = new_learner(FEATURES)
    assert learner.kind in KINDS
    assert learner.name == DEFAULT
    assert set(RIVER) == set(KINDS)


SHOP_OR_SIGNAL = [feature for feature in FEATURES if feature.name in {"shop", "signal"}]


def told_by_shop_or_signal(seed: int, rows: int) -> Examples:
    """Return examples of two columns: every other shop is a bad one, or the signal is larger."""
    rng = np.random.default_rng(seed)
    labels = rng.random(rows) < 0.1
    by_shop = rng.random(rows) < 0.5
    shops = 2.0 * rng.integers(1, 20, rows) + (labels & by_shop)
    signals = 1e-9 * rng.lognormal(np.where(labels & ~by_shop, 3.0, 0.0))
    signals[rng.random(rows) < 0.1] = np.nan
    vectors = np.stack([shops, signals], axis=1).astype(np.float32)
    created = 1.75e9 + np.linspace(0.0, 40 * DAY, rows)
    return Examples(vectors, labels, np.ones(rows), created, np.where(labels, 1.0, 10.0))


def test_it_learns_what_a_category_and_a_number_of_unknown_scale_tell(kind: str) -> None:
    learner = fresh_learner(kind, SHOP_OR_SIGNAL, told_by_shop_or_signal(4, 12_000))
    for seed in range(4):
        told_by_shop_or_signal(seed, 3000).learn(learner)
    new = told_by_shop_or_signal(100, 3000)
    model = KINDS[kind].scorer(through_json(learner.snapshot(0)), SHOP_OR_SIGNAL)
    assert cast("float", average_precision(model.predict(new.vectors), new.labels)) > 0.85
    added = model.contributions(new.vectors)
    assert added.shape == new.vectors.shape
    bad_shop, large = new.vectors[:, 0] % 2 == 1, new.vectors[:, 1] > 1e-8
    assert added[bad_shop, 0].mean() > added[~bad_shop, 0].mean() + 0.5
    assert added[large, 1].mean() > added[~large, 1].mean() + 0.5


FRAUD_RATE = 0.01
SHIFTS = np.array([1.5, -1.0, 0.5])
GAUSSIAN = [
    Feature(f"x{i}", "charge", "none", "none", "never", "{value}") for i in range(len(SHIFTS))
]


def gaussian_charges(seed: int, rows: int) -> tuple[Examples, NDArray[np.float64]]:
    """Return charges and the true probability that each is fraud.

    Genuine ones are standard normal, frauds are moved by `SHIFTS`; so by Bayes' rule the log-odds
    are those of the base rate, plus the shifts' product with the vector, less half their square.
    """
    rng = np.random.default_rng(seed)
    labels = rng.random(rows) < FRAUD_RATE
    vectors = rng.normal(size=(rows, len(SHIFTS))) + labels[:, None] * SHIFTS
    log_odds = np.log(FRAUD_RATE / (1 - FRAUD_RATE)) + vectors @ SHIFTS - SHIFTS @ SHIFTS / 2
    created = 1.7e9 + np.arange(rows) * 120 * DAY / rows
    charges = Examples(vectors.astype(np.float32), labels, np.ones(rows), created, np.ones(rows))
    return charges, 1.0 / (1.0 + np.exp(-log_odds))


def as_learned(charges: Examples, seed: int, rate: float, stands_for: float) -> Examples:
    """Give what is known by the end in the order it comes.

    Every fraud with 40 charges around it, and of the genuine ones a sample that is only counted.
    """
    rng = np.random.default_rng(seed)
    rows = len(charges.labels)
    frauds = np.flatnonzero(charges.labels)
    sampled = np.flatnonzero(~charges.labels & (rng.random(rows) < rate))
    around = frauds[:, None] + rng.integers(-1000, 1000, (len(frauds), 40))
    controls = np.clip(around, 0, rows - 1).ravel()
    disputed_at = charges.created[frauds] + rng.lognormal(2.0, 0.7, len(frauds)) * DAY
    chosen = np.concatenate([controls, frauds, sampled])
    known_at = np.concatenate([
        np.repeat(disputed_at, 40), disputed_at, charges.created[sampled] + 30 * DAY
    ])  # fmt: skip
    order = np.argsort(known_at, kind="stable")
    examples = Examples(
        charges.vectors[chosen],
        np.repeat([False, True, False], [len(controls), len(frauds), len(sampled)]),
        np.repeat([1.0, 1.0, 0.0], [len(controls), len(frauds), len(sampled)]),
        charges.created[chosen],
        np.repeat([0.0, 1.0, stands_for], [len(controls), len(frauds), len(sampled)]),
    )
    return examples.of(order[known_at[order] <= charges.created[-1]])


def shares_of_fraud(truth: NDArray[np.float64], parts: int) -> list[NDArray[np.intp]]:
    """Sort charges by their probability and cut where each part has as many frauds to expect."""
    order = np.argsort(truth)
    expected = np.cumsum(truth[order]) / truth.sum()
    return np.split(order, np.searchsorted(expected, np.arange(1, parts) / parts))


@pytest.mark.parametrize(
    ("kind", "seed", "rate"),
    [
        *((kind, 0, 0.1) for kind in KINDS),
        # The stack takes longest, and both its parts are tried.
        *((kind, 1, 0.2) for kind in KINDS if kind != stack.KIND),
    ],
)
def test_probabilities_are_true_in_spite_of_thinning(
    kind: str, seed: int, rate: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forest, "TREES", FEWER_TREES)
    predicted, truth = fresh_probabilities(kind, seed, rate, 1.0 / rate)
    for part in shares_of_fraud(truth, 5):
        # Some fifty frauds are remembered of each, which were scored a month apart.
        assert 1 / 1.6 < predicted[part].mean() / truth[part].mean() < 1.6
    assert predicted.mean() == pytest.approx(FRAUD_RATE, rel=0.3)


def test_probabilities_are_far_too_high_if_each_example_stands_for_itself_alone() -> None:
    predicted, _ = fresh_probabilities(DEFAULT, 0, 0.1, 1.0)
    assert predicted.mean() > 2.0 * FRAUD_RATE


def fresh_probabilities(
    kind: str, seed: int, rate: float, stands_for: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what a model says of charges it has not learned, and their true probabilities."""
    charges, _ = gaussian_charges(seed, 200_000)
    fresh_charges, truth = gaussian_charges(100 + seed, 200_000)
    examples = as_learned(charges, seed, rate, stands_for)
    earlier, _ = gaussian_charges(200 + seed, 200_000)
    learner = fresh_learner(kind, GAUSSIAN, as_learned(earlier, seed, rate, stands_for))
    examples.learn(learner)
    model = KINDS[kind].scorer(learner.snapshot(0), GAUSSIAN)
    return model.predict(fresh_charges.vectors), truth
