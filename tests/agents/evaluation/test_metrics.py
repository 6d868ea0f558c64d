"""Metrics against slow implementations written from their definitions."""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict

import numpy as np
import pytest

from agents.evaluation.cost import money
from agents.evaluation.metrics import (
    auc_roc,
    average_precision,
    brier,
    calibration,
    calibration_error,
    card_precision,
    recall_at,
)
from agents.evaluation.outcomes import Outcomes, Segment
from agents.evaluation.summary import evaluate
from agents.settings.costs import Costs
from agents.stages.decisions import expected_costs
from schemas.scored import ACTIONS

SEEDS = range(6)


def outcomes_of(seed: int, charges: int = 300, *, coarse: bool = False) -> Outcomes:
    """Return random outcomes over ten days; coarse scores and amounts have many ties."""
    rng = np.random.default_rng(seed)
    fraud = rng.random(charges) < 0.1
    score = 1.0 / (1.0 + np.exp(-rng.normal(-3.0 + 2.0 * fraud, 1.5)))
    amount = rng.exponential(80.0, charges) + 1.0
    if coarse:
        score, amount = np.round(score, 1), np.round(amount, -1) + 1.0
    return Outcomes(
        created=1.7e9 + np.sort(rng.uniform(0.0, 10 * 86400.0, charges)),
        card=rng.integers(0, 40, charges),
        amount=amount,
        score=score,
        action=rng.integers(0, 4, charges).astype(np.uint8),
        fraud=fraud,
        segments={"channel": Segment(["online", "in_person"], rng.integers(0, 2, charges))},
    )


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_auc_is_the_share_of_pairs_in_order(seed: int, coarse: bool) -> None:
    o = outcomes_of(seed, coarse=coarse)
    pairs = [
        1.0 if bad > good else 0.5 if bad == good else 0.0
        for bad, good in itertools.product(o.score[o.fraud], o.score[~o.fraud])
    ]
    assert auc_roc(o.score, o.fraud) == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_average_precision_is_the_sum_over_thresholds(seed: int, coarse: bool) -> None:
    o = outcomes_of(seed, coarse=coarse)
    expected, before = 0.0, 0.0
    for threshold in sorted(set(o.score.tolist()), reverse=True):
        flagged = [
            fraud for score, fraud in zip(o.score, o.fraud, strict=True) if score >= threshold
        ]
        recall = sum(flagged) / sum(o.fraud)
        expected += (recall - before) * sum(flagged) / len(flagged)
        before = recall
    assert average_precision(o.score, o.fraud) == pytest.approx(expected)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("k", [1, 5, 100])
def test_card_precision_looks_at_the_best_cards_of_each_day(seed: int, k: int) -> None:
    o = outcomes_of(seed)
    found: set[int] = set()
    shares = []
    for today in sorted({int(t // 86400) for t in o.created}):
        best: dict[int, float] = defaultdict(float)
        bad = set()
        for t, card, score, fraud in zip(o.created, o.card, o.score, o.fraud, strict=True):
            if int(t // 86400) == today and card not in found:
                best[card] = max(best[card], score)
                if fraud:
                    bad.add(card)
        top = sorted(best, key=lambda card: -best[card])[:k]
        shares.append(len(bad.intersection(top)) / k)
        found |= bad.intersection(top)
    assert card_precision(o.score, o.fraud, o.card, o.day, k) == pytest.approx(np.mean(shares))


def test_a_card_found_is_left_out_on_the_next_days() -> None:
    score, fraud = np.array([0.9, 0.9, 0.1]), np.array([True, True, True])
    card, day = np.array([1, 1, 2]), np.array([0, 1, 1])
    assert card_precision(score, fraud, card, day, 1) == 1.0
    assert card_precision(score, np.array([True, True, False]), card, day, 1) == 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_brier_and_calibration_by_hand(seed: int) -> None:
    o = outcomes_of(seed, 305)
    rows = sorted(zip(o.score.tolist(), o.fraud.tolist(), strict=True))
    assert brier(o.score, o.fraud) == pytest.approx(sum((s - f) ** 2 for s, f in rows) / 305)
    bins = calibration(o.score, o.fraud)
    assert [part.charges for part in bins] == [31] * 5 + [30] * 5
    error, start = 0.0, 0
    for part in bins:
        chosen = rows[start : start + int(part.charges)]
        start += len(chosen)
        assert part.predicted == pytest.approx(sum(s for s, _ in chosen) / len(chosen))
        assert part.frauds == sum(f for _, f in chosen)
        assert part.observed == pytest.approx(part.frauds / len(chosen))
        error += abs(sum(s for s, _ in chosen) - part.frauds) / 305
    assert calibration_error(bins) == pytest.approx(error)


@pytest.mark.parametrize("seed", SEEDS)
def test_recall_at_a_block_rate_is_that_of_the_highest_scores(seed: int) -> None:
    o = outcomes_of(seed)
    for flagged in (0, 3, 30, 300):
        top = np.argsort(-o.score)[:flagged]
        expected = o.fraud[top].sum() / o.fraud.sum()
        assert recall_at(o.score, o.fraud, flagged / 300) == pytest.approx(expected)


def test_equal_scores_count_as_far_as_they_fit() -> None:
    score, fraud = np.array([0.5, 0.5, 0.5, 0.5, 0.1]), np.array([True, True, False, False, False])
    assert recall_at(score, fraud, 0.4) == pytest.approx(0.5)


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_money_is_the_sum_over_charges_and_the_limit_the_best_of_all(
    seed: int, coarse: bool
) -> None:
    o = outcomes_of(seed, coarse=coarse)
    costs = Costs()

    def total(actions: list[str]) -> float:
        return sum(
            float(
                expected_costs(np.array([float(f)]), np.array([a]), costs)[ACTIONS.index(action), 0]
            )
            for f, a, action in zip(o.fraud, o.amount, actions, strict=True)
        )

    result = money(o, costs)
    assert result.cost == pytest.approx(total([ACTIONS[code] for code in o.action]))
    assert result.cost_of_nothing == pytest.approx(total(["allow"] * 300))
    limits = [float("inf"), *sorted(set(o.amount.tolist()))[-60:]]
    tried = {
        limit: total(["block" if amount >= limit else "allow" for amount in o.amount])
        for limit in limits
    }
    assert result.cost_by_amount <= min(tried.values()) + 1e-6
    at_limit = total(["block" if a >= result.amount_limit else "allow" for a in o.amount])
    assert at_limit == pytest.approx(result.cost_by_amount)


def test_the_summary_has_the_names_users_rely_on() -> None:
    o = outcomes_of(1)
    result = evaluate(o, Costs())
    assert result["charges"] == 300
    assert result["frauds"] == int(o.fraud.sum())
    assert {"auc_roc", "average_precision", "card_precision_at_100", "brier"} <= result.keys()
    assert sum(day["charges"] for day in result["by_day"]) == 300
    assert sum(part["frauds"] for part in result["by_segment"]["channel"].values()) == o.fraud.sum()
    assert sum(action["charges"] for action in result["actions"].values()) == 300


@pytest.mark.parametrize("seed", SEEDS)
def test_every_day_and_part_is_measured_as_a_whole_is(seed: int) -> None:
    o = outcomes_of(seed)
    result = evaluate(o, Costs())
    for today, measured in zip(np.unique(o.day), result["by_day"], strict=True):
        rows = o.day == today
        assert measured["charges"] == rows.sum()
        assert measured["frauds"] == o.fraud[rows].sum()
        assert measured["average_precision"] == average_precision(o.score[rows], o.fraud[rows])
        assert measured["score_mean"] == pytest.approx(o.score[rows].mean())
        assert measured["money"]["cost"] == pytest.approx(money(o.only(rows), Costs()).cost)
    segment = o.segments["channel"]
    assert list(result["by_segment"]["channel"]) == segment.names
    for place, name in enumerate(segment.names):
        rows = segment.part == place
        measured = result["by_segment"]["channel"][name]
        assert measured["auc_roc"] == auc_roc(o.score[rows], o.fraud[rows])
        assert measured["recall_at_block_rate"]["0.01"] == recall_at(
            o.score[rows], o.fraud[rows], 0.01
        )
        assert measured["calibration"][9]["charges"] == rows.sum() // 10


def test_small_parts_of_a_segment_are_taken_together() -> None:
    names = [f"c{place}" for place in range(30)]
    country = Segment(names, np.minimum(np.arange(300), 20))
    o = dataclasses.replace(outcomes_of(2), segments={"country": country})
    parts = evaluate(o, Costs())["by_segment"]["country"]
    assert len(parts) == 13
    assert next(iter(parts)) == "c20"
    assert parts["c20"]["charges"] == 280
    assert parts["all others"]["charges"] == 20 - 11
    assert sum(part["charges"] for part in parts.values()) == 300


@pytest.mark.parametrize("frauds", [None, False, True])
def test_what_cannot_be_said_is_none(frauds: bool | None) -> None:
    o = outcomes_of(3, 0 if frauds is None else 20)
    o.fraud[:] = bool(frauds)
    result = evaluate(o, Costs())
    assert result["auc_roc"] is None
    assert (result["average_precision"] is None) == (not frauds)
    assert (result["card_precision_at_100"] is None) == (not frauds)
    assert (result["brier"] is None) == (frauds is None)
    assert (result["calibration_error"] is None) == (frauds is None)
    assert result["charges"] == (0 if frauds is None else 20)
