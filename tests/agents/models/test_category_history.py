"""What a category is to a model, against the labels of all examples before."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agents.models.additive import AdditiveLearner
from agents.models.category_history import CELLS, CategoryHistory, cell_of
from schemas.snapshot import encode_snapshot
from streams.events.rows import CATEGORY_CODES
from tests.agents.models.examples import FEATURES, SHOP, random_examples

ONE = np.zeros(1, np.int64)
MEMORY, PRIOR = 20_000, 20.0


def expected(codes: list[int], labels: list[bool], weights: list[float], code: int) -> float:
    """The log-odds of a category against all, of its examples' faded weights and a prior."""
    learned = [place for place, weight in enumerate(weights) if weight > 0.0]
    fading = [(1.0 + 1.0 / MEMORY) ** -age for age in range(len(learned), 0, -1)]
    own, every = [0.0, 0.0], [0.0, 0.0]
    for place, faded in zip(learned, fading, strict=True):
        mass = weights[place] * faded * (1.0 + 1.0 / MEMORY)
        every[labels[place]] += mass
        if cell_of(codes[place]) == cell_of(code):
            own[labels[place]] += mass
    if 0.0 in every:
        return 0.0
    share = every[1] / (every[0] + every[1])
    odds = (own[1] + PRIOR * share) / (own[0] + PRIOR * (1.0 - share))
    return math.log(odds) - math.log(share / (1.0 - share))


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_smoothed_log_odds_of_the_labels_before(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.choice([0, 1, 5732, 7995, CATEGORY_CODES - 1, *range(100, 140)], 600)
    labels = rng.random(600) < np.where(codes == 7995, 0.6, 0.1)
    weights = rng.choice([0.0, 0.5, 1.0, 3.0], 600)
    rows = codes[:, None].astype(np.float64)
    history = CategoryHistory(ONE)
    history.learn(rows, labels, weights)
    given = codes.tolist(), labels.tolist(), weights.tolist()
    for place in range(0, 600, 7):
        before = given[0][:place], given[1][:place], given[2][:place]
        assert rows[place, 0] == pytest.approx(expected(*before, given[0][place]), abs=0.0021)
    after = np.array([[0.0], [7995.0], [100.0], [3.0]])
    history.replace(after)
    numbers = [expected(*given, code) for code in (0, 7995, 100, 3)]
    np.testing.assert_allclose(after[:, 0], numbers, rtol=0.0, atol=0.0021)
    assert after[1, 0] > 1.0


def test_it_says_nothing_where_there_is_one_category() -> None:
    for code in (0.0, 5732.0):
        history, rows = CategoryHistory(ONE), np.full((30_000, 1), code)
        history.learn(rows, np.arange(30_000) % 41 == 0, np.full(30_000, 0.3))
        assert not rows.any()


def test_what_is_no_code_is_missing() -> None:
    history = CategoryHistory(ONE)
    history.learn(np.repeat([0.0, 5.0], 50)[:, None], np.repeat([True, False], 50), np.ones(100))
    rows = np.array([[0.0], [-1.0], [float(CATEGORY_CODES)], [3e38], [-3e38]])
    history.replace(rows)
    assert rows[0, 0] > 0.0
    assert (rows == rows[0]).all()


def test_what_was_long_ago_fades() -> None:
    """A category that was bad is as any other when it has long been good."""
    rng = np.random.default_rng(8)
    codes = rng.integers(1, 3, 8 * MEMORY)
    was_bad = (codes == 1) & (np.arange(8 * MEMORY) < 4 * MEMORY)
    labels = rng.random(8 * MEMORY) < np.where(was_bad, 0.25, 0.05)
    history, rows = CategoryHistory(ONE), np.array([[1.0], [2.0]])
    history.learn(codes[:, None].astype(np.float64), labels, np.ones(8 * MEMORY))
    history.replace(rows)
    assert abs(rows[0, 0] - rows[1, 0]) < 0.25  # 1.3 without fading


def test_rare_categories_share_cells_and_a_frequent_one_prevails() -> None:
    rng = np.random.default_rng(1)
    rare = rng.integers(10_000, CATEGORY_CODES, 40_000)
    codes = np.where(rng.random(40_000) < 0.05, 77, rare)
    labels = rng.random(40_000) < np.where(codes == 77, 0.5, 0.02)
    history = CategoryHistory(ONE)
    history.learn(codes[:, None].astype(np.float64), labels, np.ones(40_000))
    rows = np.arange(CATEGORY_CODES - 1000.0, CATEGORY_CODES)[:, None]
    history.replace(rows)
    assert abs(np.median(rows)) < 0.7
    frequent = np.array([[77.0]])
    history.replace(frequent)
    assert frequent[0, 0] > 2.0


def test_a_million_categories_take_no_more_than_a_few() -> None:
    few, many = random_examples(3, 2000), random_examples(4, 200_000)
    many.vectors[:, SHOP] = np.random.default_rng(4).integers(1, CATEGORY_CODES, 200_000)
    assert len(np.unique(many.vectors[:, SHOP])) > 190_000
    sizes = []
    for examples in (few, many):
        learner = AdditiveLearner(FEATURES)
        examples.learn(learner)
        sizes.append(len(encode_snapshot(learner.snapshot(0))))
    assert sizes[1] - sizes[0] < 2 * 4 * 4 / 3 * CELLS + 30_000
