"""Intervals over cards: against closed forms, and how often they hold what is true."""

from __future__ import annotations

import numpy as np
import pytest

from agents.evaluation.card_bootstrap import replicas_by_card, share_interval
from agents.evaluation.estimates import interval_of

WORLDS = 200


def test_replicas_spread_as_the_sums_of_cards_do() -> None:
    """The variance of a sum with Poisson weights is the sum of the squares of the cards' sums."""
    rng = np.random.default_rng(5)
    cards = rng.integers(0, 5000, 30_000).astype(np.uint64)
    values = rng.normal([0.0, 1.0], 1.0, (30_000, 2))
    replicas = replicas_by_card(cards, values, replicas=4000)
    by_card = np.zeros((5000, 2))
    for card, value in zip(cards.tolist(), values, strict=True):
        by_card[card] += value
    expected = np.sqrt((by_card**2).sum(axis=0))
    assert replicas.std(axis=0) == pytest.approx(expected, rel=0.05)
    assert np.abs(replicas.mean(axis=0) - values.sum(axis=0)) == pytest.approx(
        [0.0, 0.0], abs=4.0 * expected.max() / np.sqrt(4000)
    )


def test_the_order_of_charges_makes_no_difference() -> None:
    rng = np.random.default_rng(6)
    cards = rng.integers(0, 300, 2000).astype(np.uint64)
    values = rng.integers(-5, 5, (2000, 3)).astype(np.float64)
    order = rng.permutation(2000)
    first, second = replicas_by_card(cards, values), replicas_by_card(cards[order], values[order])
    assert first.tolist() == second.tolist()
    assert replicas_by_card(cards[:0], values[:0]).tolist() == np.zeros((500, 3)).tolist()


def test_intervals_of_a_difference_hold_what_is_true() -> None:
    held = 0
    for seed in range(WORLDS):
        rng = np.random.default_rng(seed)
        cards = np.repeat(np.arange(rng.poisson(400)), 3).astype(np.uint64)
        of_card = rng.exponential(10.0, len(cards) // 3) - 8.0
        values = np.repeat(of_card, 3)[:, np.newaxis]
        low, high = interval_of(replicas_by_card(cards, values, seed, replicas=300)[:, 0])
        assert low is not None
        assert high is not None
        held += low <= 400 * 3 * 2.0 <= high
    assert held / WORLDS > 0.9


def test_intervals_of_a_share_hold_what_is_true_where_cards_are_alike() -> None:
    held = by_charge = 0
    for seed in range(WORLDS):
        rng = np.random.default_rng(seed)
        cards = np.repeat(np.arange(60), 6).astype(np.uint64)
        hits = np.repeat(rng.random(60) < 0.3, 6)
        low, high = share_interval(cards, hits)
        held += low <= 0.3 <= high
        alone_low, alone_high = share_interval(np.arange(360, dtype=np.uint64), hits)
        by_charge += alone_low <= 0.3 <= alone_high
    assert held / WORLDS > 0.92
    assert by_charge / WORLDS < 0.8  # what it would be if the charges of a card were independent


def test_where_all_are_hits_there_is_room_for_others() -> None:
    cards = np.repeat(np.arange(5), 20).astype(np.uint64)
    low, high = share_interval(cards, np.ones(100, np.bool_))
    assert high == 1.0
    assert low == pytest.approx(share_interval(cards[::20], np.ones(5, np.bool_))[0])
    assert low == pytest.approx(5 / (5 + 1.959964**2))  # Wilson's limit of n of n
    assert share_interval(cards, np.zeros(100, np.bool_)) == pytest.approx((0.0, 1.0 - low))
