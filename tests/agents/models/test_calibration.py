"""Calibration against brute force, and on streams whose truth is known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.models.calibration import MEMORY_EXAMPLES, TILE_S, Calibration, calibrated, isotonic

START = 76_000 * TILE_S


def brute_force_isotonic(values: list[float], weights: list[float]) -> list[float]:
    """Max-min formula of isotonic regression (Robertson, Wright, Dykstra 1988, theorem 1.4.4)."""

    def mean(first: int, last: int) -> float:
        return float(np.average(values[first : last + 1], weights=weights[first : last + 1]))

    n = len(values)
    return [max(min(mean(s, t) for t in range(i, n)) for s in range(i + 1)) for i in range(n)]


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.01, 100.0)), min_size=1, max_size=12))
def test_isotonic_equals_the_max_min_formula(points: list[tuple[float, float]]) -> None:
    values, weights = [v for v, _ in points], [w for _, w in points]
    result = isotonic(np.array(values), np.array(weights))
    np.testing.assert_allclose(result, brute_force_isotonic(values, weights), atol=1e-9)


@given(
    st.lists(
        st.tuples(
            st.floats(-30.0, 30.0),
            st.booleans(),
            st.floats(0.1, 50.0),
            st.integers(0, 60),
        ),
        max_size=40,
    )
)
def test_the_curve_always_rises_and_the_state_is_all_there_is(
    examples: list[tuple[float, bool, float, int]],
) -> None:
    calibration = Calibration()
    for log_odds, fraud, weight, day in examples:
        calibration.observe(log_odds, fraud, weight, START + day * TILE_S)
    curve = calibration.curve()
    assert np.isfinite(curve).all()
    assert (np.diff(curve) > 0.0).all()
    restored = Calibration.from_state(orjson.loads(orjson.dumps(calibration.state())))
    assert restored.state() == calibration.state()
    assert restored.curve().tobytes() == curve.tobytes()


def test_it_learns_the_true_probability_of_a_distorted_score() -> None:
    seed = 3
    rng = np.random.default_rng(seed)
    truth = rng.normal(-3.0, 2.0, 60_000)
    shown = np.cbrt(truth + 2.0) * 2.0 - 3.0
    labels = rng.random(60_000) < 1.0 / (1.0 + np.exp(-truth))
    calibration = Calibration()
    for log_odds, fraud in zip(shown.tolist(), labels.tolist(), strict=True):
        calibration.observe(log_odds, fraud, 1.0, START)
    # A tile counts once it is complete.
    calibration.observe(-12.0, False, 1.0, START + TILE_S)
    result = 1.0 / (1.0 + np.exp(-calibrated(shown, calibration.curve())))
    for part in np.array_split(np.argsort(truth), 10):
        expected = (1.0 / (1.0 + np.exp(-truth[part]))).mean()
        assert result[part].mean() == pytest.approx(expected, rel=0.15, abs=0.005)


@pytest.mark.parametrize("charges_per_tile", [50, 5000])
def test_frauds_known_early_wait_for_the_honest_charges_of_their_time(
    charges_per_tile: int,
) -> None:
    """Of every tile 2% of the charges are fraud; frauds arrive at once, silence 120 tiles later."""
    calibration = Calibration()
    frauds = charges_per_tile // 50
    for tile in range(140):
        for _ in range(frauds):
            calibration.observe(-4.0, True, 1.0, START + tile * TILE_S)
        if tile >= 120:
            for _ in range(charges_per_tile - frauds):
                calibration.observe(-4.0, False, 1.0, START + (tile - 120) * TILE_S)
    share = 1.0 / (1.0 + np.exp(-calibrated(np.array([-4.0]), calibration.curve())[0]))
    assert share == pytest.approx(0.02, rel=0.02)
    assert len(calibration.state()["waiting"]) == 140 - 19


def test_a_fraud_known_after_its_tile_is_complete_counts_at_once() -> None:
    frauds = []
    for late in (False, True):
        calibration = Calibration()
        events = [(True, 0), (False, 0), (False, 5)]
        for fraud, tile in [*events[1:], events[0]] if late else events:
            calibration.observe(0.0, fraud, 1.0, START + tile * TILE_S)
        assert calibration.state()["waiting"] == {}
        frauds.append(calibration.state()["frauds"])
    assert frauds[0] == frauds[1]


def test_an_old_count_fades_with_the_honest_examples_since() -> None:
    calibration = Calibration()
    examples = MEMORY_EXAMPLES // 10
    calibration.observe(0.0, True, 1.0, START + 60 * TILE_S)
    for tile in range(72):
        for _ in range(examples if tile < 71 else 1):
            calibration.observe(-12.0, False, 1.0, START + tile * TILE_S)
    assert sum(calibration.state()["frauds"]) == pytest.approx(math.exp(-1.0))


def test_heights_between_knots_are_straight_lines_and_go_on_outside() -> None:
    curve = Calibration().curve()
    points = np.array([-20.0, -12.0, -0.3, 0.2, 6.0, 30.0])
    np.testing.assert_allclose(calibrated(points, curve), points, atol=2e-2)
    for low, high in itertools.pairwise(calibrated(points, curve)):
        assert low < high
