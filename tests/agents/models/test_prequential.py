"""Prequential metrics: those of a count over all examples by hand, and exact through JSON."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
import pytest
from river import metrics

from agents.models.calibration import FIRST_KNOT, KNOT_STEP, KNOTS
from agents.models.forest import model as forest
from agents.models.kinds import KINDS
from agents.models.prequential import BLOCK_EXAMPLES, MEMORY_EXAMPLES, Prequential
from agents.models.track_record import WARM_UP_EXAMPLES, figures_of
from tests.agents.models.boosting import fresh_learner
from tests.agents.models.examples import FEATURES, random_examples

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from river.metrics.base import Metric

KNOT_PLACES = FIRST_KNOT + KNOT_STEP * np.arange(KNOTS)
SHIFT, TILT = -0.7, 1.1


class Examples(NamedTuple):
    log_odds: list[float]
    frauds: list[bool]
    stand_for: list[float]


@pytest.fixture(scope="module")
def examples() -> Examples:
    rng = np.random.default_rng(8)
    frauds = rng.random(12_300) < 0.06
    log_odds = rng.normal(-4.0, 1.5, len(frauds)) + 2.5 * frauds
    return Examples(log_odds.tolist(), frauds.tolist(), np.where(frauds, 1.0, 10.0).tolist())


def curve() -> NDArray[np.float64]:
    return np.asarray(TILT * KNOT_PLACES + SHIFT, np.float64)


def observed(examples: Examples, start: int = 0, since: Prequential | None = None) -> Prequential:
    counted = Prequential() if since is None else since
    for example in list(zip(*examples, strict=True))[start:]:
        counted.observe(*example, curve)
    return counted


def faded(examples: Examples) -> NDArray[np.float64]:
    """Return what each example still counts: blocks fade one after another."""
    blocks = np.arange(len(examples.frauds)) // BLOCK_EXAMPLES
    ages = blocks[-1] - blocks
    weights = np.array(examples.stand_for) * np.exp(-ages * BLOCK_EXAMPLES / MEMORY_EXAMPLES)
    assert 0.3 < (weights / examples.stand_for).min() < 0.6
    return np.asarray(weights, np.float64)


def test_probabilities_against_river(examples: Examples) -> None:
    log_loss, squares = metrics.LogLoss(), metrics.MSE()  # type: ignore[no-untyped-call]
    calibrated = TILT * np.array(examples.log_odds) + SHIFT
    chances = 1.0 / (1.0 + np.exp(-calibrated))
    for fraud, chance, weight in zip(examples.frauds, chances, faded(examples), strict=True):
        log_loss.update(fraud, float(chance), float(weight))
        squares.update(float(fraud), float(chance), float(weight))
    figures = observed(examples).figures()
    assert figures.log_loss == pytest.approx(_value(log_loss), rel=1e-9)
    assert figures.brier == pytest.approx(_value(squares), rel=1e-9)


def _value(metric: Metric) -> float:
    value: float = metric.get()
    return value


def test_ranks_against_a_count_of_all_pairs(examples: Examples) -> None:
    """Cells make ties of charges that are within a tenth of log-odds, which changes little."""
    weights, frauds = faded(examples), np.array(examples.frauds)
    scores = np.array(examples.log_odds)
    figures = observed(examples).figures()
    assert figures.charges == pytest.approx(weights.sum())
    assert figures.frauds == pytest.approx(weights[frauds].sum())

    others, other_weights = scores[~frauds], weights[~frauds]
    below = np.array([other_weights[others < score].sum() for score in scores[frauds]])
    pairs = weights[frauds].sum() * other_weights.sum()
    assert figures.auc_roc == pytest.approx((below * weights[frauds]).sum() / pairs, abs=2e-4)

    order = np.argsort(-scores)
    hits = np.cumsum((weights * frauds)[order])
    precision = hits / np.cumsum(weights[order])
    average = (precision * (weights * frauds)[order]).sum() / hits[-1]
    assert figures.average_precision == pytest.approx(average, abs=5e-3)


@pytest.mark.parametrize("cut", [1, 499, 500, 501, 7777])
def test_it_goes_on_from_its_state_bit_for_bit(examples: Examples, cut: int) -> None:
    first = observed(Examples(*(column[:cut] for column in examples)))  # type: ignore[arg-type]
    state = msgspec.json.decode(msgspec.json.encode(first.state()))
    restored = observed(examples, cut, Prequential.from_state(state))
    assert msgspec.json.encode(restored.state()) == msgspec.json.encode(observed(examples).state())


def test_without_both_classes_there_is_no_order() -> None:
    nothing = Prequential().figures()
    assert (nothing.charges, nothing.frauds) == (0.0, 0.0)
    assert all(math.isnan(figure) for figure in nothing[2:])
    good = observed(Examples([-3.0, -2.0], [False, False], [10.0, 10.0])).figures()
    assert math.isnan(good.auc_roc)
    assert math.isnan(good.average_precision)
    assert good.log_loss > 0.0


@pytest.mark.parametrize("log_odds", [-1e4, -800.0, 800.0, 1e4])
def test_extreme_scores_stay_numbers(log_odds: float) -> None:
    for fraud in (False, True):
        figures = observed(Examples([log_odds], [fraud], [1.0])).figures()
        assert math.isfinite(figures.log_loss)
        assert 0.0 <= figures.brier <= 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_every_model_counts_what_it_gave_each_example_before_learning_it(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Learned in batches, against one example after another by the scorer of that moment."""
    monkeypatch.setattr(forest, "TREES", 2)
    rows = random_examples(6, 2600, fraud_rate=0.6)
    batches, one_by_one = (fresh_learner(kind) for _ in range(2))
    expected, counted, learned, controls, number = Prequential(), 0, 0, 0, 0
    while counted < BLOCK_EXAMPLES + 50:
        row = rows.of(slice(number, number + 1))
        if learned >= WARM_UP_EXAMPLES and row.stands_for[0] > 0.0:
            model: Any = KINDS[kind].scorer(one_by_one.snapshot(0), FEATURES)
            before = float(model.log_odds(row.vectors)[0])
            expected.observe(
                before,
                bool(row.labels[0]),
                float(row.stands_for[0]),
                partial(getattr, model, "_curve"),
            )
            counted += 1
        if row.weights[0] > 0.0:
            controls += not row.labels[0]
            learned += kind != forest.KIND or row.labels[0] or controls % forest.CONTROLS_APART == 0
        row.learn(one_by_one)
        number += 1
    for start in range(0, number, 170):
        rows.of(slice(start, min(start + 170, number))).learn(batches)
    found = batches.snapshot(0).state["experience"]["prequential"]
    assert found == expected.state()
    assert figures_of(batches.snapshot(0)) == expected.figures()
