"""What a number of unknown scale is to a model, against the ranks among the examples before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agents.models.rank_scale import MEMORY_EXAMPLES, SAMPLE, RankScale

if TYPE_CHECKING:
    from numpy.typing import NDArray

ONE, FLAG = np.zeros(1, np.int64), np.ones(1, np.int64)


def numbers(
    values: NDArray[np.floating[Any]], weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Learn values one after another, and return what each was to the model."""
    known = np.asarray(values, np.float64)
    rows = np.stack([known, np.zeros(len(known))], axis=1)
    RankScale(ONE, FLAG).learn(rows, np.ones(len(rows)) if weights is None else weights)
    return rows[:, 0]


def rank_log_odds(value: float, before: list[float]) -> float:
    """The log-odds of a rank: middle of equal ones, interpolated between its neighbours."""
    below, equal = sum(x < value for x in before), before.count(value)
    rank = below + equal / 2
    if not equal and 0 < below < len(before):
        low, high = max(x for x in before if x < value), min(x for x in before if x > value)
        rank = below - 0.5 + (value - low) / (high - low)
    share = (rank + 0.5) / (len(before) + 1)
    return float(np.log(share / (1.0 - share)))


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_rank_among_all_before_while_all_are_sampled(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.choice([rng.normal(size=SAMPLE), rng.integers(-3, 3, SAMPLE)], axis=0)
    values = values.astype(np.float32).astype(np.float64)
    weights = rng.choice([0.0, 1.0], SAMPLE)
    found = numbers(values, weights)
    for place in range(SAMPLE):
        before = [v for v, w in zip(values[:place], weights, strict=False) if w > 0.0]
        assert found[place] == pytest.approx(rank_log_odds(values[place], before), abs=1e-12)


@pytest.mark.parametrize("seed", range(2))
def test_unit_offset_and_skew_make_no_difference(seed: int) -> None:
    normal = np.random.default_rng(seed).normal(size=5000).astype(np.float32)
    expected = numbers(normal)
    assert np.abs(expected[1000:]).mean() == pytest.approx(1.39, abs=0.15)  # of log-odds: 2 ln 2
    np.testing.assert_array_equal(numbers(normal * 2.0**-30), expected)
    np.testing.assert_array_equal(numbers(normal * 2.0**40), expected)
    np.testing.assert_allclose(numbers(-normal)[:SAMPLE], -expected[:SAMPLE], rtol=0.0, atol=1e-12)
    skewed = numbers(np.exp(3.0 * normal).astype(np.float32))
    assert np.abs(skewed - expected)[1000:].max() < 0.4
    offset = numbers((1e6 + 10.0 * normal).astype(np.float32))
    assert np.abs(offset - expected)[1000:].max() < 0.4


def test_wild_values_change_nothing_for_the_others() -> None:
    rng = np.random.default_rng(5)
    values = 1e-5 * rng.normal(size=5000)
    wild = np.where(rng.random(5000) < 0.01, rng.choice([3e38, -3e38], 5000), values)
    is_tame = wild == values
    found = numbers(wild.astype(np.float32))
    assert np.isfinite(found).all()
    difference = np.abs(found - numbers(values.astype(np.float32)))[is_tame]
    assert np.quantile(difference[1000:], 0.9) < 0.3


def test_the_sample_follows_the_stream() -> None:
    rng = np.random.default_rng(6)
    values = rng.normal(size=8 * MEMORY_EXAMPLES) + np.repeat([0.0, 50.0], 4 * MEMORY_EXAMPLES)
    found = numbers(values)
    before, at_once, later = (
        np.median(found[end - 2000 : end])
        for end in (4 * MEMORY_EXAMPLES, 4 * MEMORY_EXAMPLES + 2000, 8 * MEMORY_EXAMPLES)
    )
    assert abs(before) < 0.3
    assert at_once > 3.0
    assert abs(later) < 0.3


def test_what_is_missing_is_in_the_middle_and_in_no_sample() -> None:
    rng = np.random.default_rng(7)
    values = rng.normal(10.0, 1.0, 3000)
    flags = rng.random(3000) < 0.9
    rows = np.stack([np.where(flags, 0.0, values), flags], axis=1)
    RankScale(ONE, FLAG).learn(rows, np.ones(3000))
    assert not rows[flags, 0].any()
    np.testing.assert_array_equal(rows[~flags, 0], numbers(values[~flags]))


def test_a_constant_is_in_the_middle() -> None:
    assert not numbers(np.full(1000, 7.0)).any()
