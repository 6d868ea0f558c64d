"""Calibration by bins of scores: against brute force, and where truth is known."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from agents.evaluation.metrics import calibration_error
from agents.evaluation.score_calibration import EDGES, ToldScores, prequential_bins
from agents.models.calibration import FIRST_KNOT, KNOT_STEP, KNOTS
from agents.models.prequential import Prequential
from streams.wire.matured import FRAUD, GENUINE, MATURED_CHARGE, UNSEEN

DAY_S = 86_400.0
DAYS = 30
AS_IT_IS = np.array([FIRST_KNOT + KNOT_STEP * knot for knot in range(KNOTS)])
"""The curve that calibrates nothing."""


def made(seed: int, count: int) -> np.ndarray:
    """Return matured charges whose scores are right; of what was to be stopped 1 in 5 is seen."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(count, MATURED_CHARGE)
    rows["score"] = 1.0 / (1.0 + np.exp(-rng.uniform(-9.0, 4.0, count)))
    rows["created"] = rng.uniform(0.0, 45 * DAY_S, count)
    rows["counts"] = rng.choice([1.0, 10.0], count)
    is_fraud = rng.random(count) < rows["score"]
    is_stopped = rows["score"] > 0.3
    is_large = rng.random(count) < 0.2  # what cannot be drawn
    rows["propensity"] = np.where(is_stopped, np.where(is_large, 0.0, 0.2), 1.0)
    is_seen = rng.random(count) < rows["propensity"]
    rows["seen"] = np.where(is_seen, np.where(is_fraud, FRAUD, GENUINE), UNSEEN)
    return rows


@pytest.mark.parametrize("seed", [1, 2])
def test_told_scores_are_those_of_brute_force(seed: int) -> None:
    rows = made(seed, 3000)
    told = ToldScores(DAYS)
    for part in np.array_split(rows, 7):
        told.add(part)
    last = int(rows[rows["seen"] != UNSEEN]["created"].max() // DAY_S)
    kept = [row for row in rows if row["seen"] != UNSEEN and row["created"] // DAY_S > last - DAYS]
    assert 0 < len(kept) < len(rows)
    edges = [0.0, *EDGES.tolist(), 1.1]
    expected = []
    for low, high in pairwise(edges):
        of_bin = [row for row in kept if low <= row["score"] < high]
        weights = [float(row["counts"]) / float(row["propensity"]) for row in of_bin]
        frauds = sum(w for w, row in zip(weights, of_bin, strict=True) if row["seen"] == FRAUD)
        mean = sum(w * row["score"] for w, row in zip(weights, of_bin, strict=True)) / sum(weights)
        expected.append((sum(weights), frauds, mean, frauds / sum(weights)))
    found = [(b.charges, b.frauds, b.predicted, b.observed) for b in told.bins()]
    assert found == [pytest.approx(each) for each in expected]


def test_scores_that_are_right_are_told_so_though_most_is_stopped() -> None:
    rows = made(5, 200_000)
    rows["counts"] = 1.0
    told = ToldScores(90)
    told.add(rows)
    error = calibration_error(told.bins())
    assert error is not None
    assert error < 0.01
    wrong = rows.copy()
    wrong["score"] /= 2.0
    told = ToldScores(90)
    told.add(wrong)
    error = calibration_error(told.bins())
    assert error is not None
    assert error > 0.03


def test_without_charges_there_are_no_bins() -> None:
    told = ToldScores(DAYS)
    assert told.bins() == []
    told.add(np.zeros(3, MATURED_CHARGE))  # nothing was seen of them
    assert told.bins() == []
    assert calibration_error(told.bins()) is None
    assert prequential_bins(Prequential().counts()) == []


def test_prequential_scores_are_those_that_were_observed() -> None:
    rng = np.random.default_rng(3)
    prequential, seen = Prequential(), []
    for _ in range(400):  # of one block, in which nothing fades
        log_odds, stands_for = float(rng.uniform(-8.0, 3.0)), float(rng.choice([1.0, 4.0]))
        is_fraud = bool(rng.random() < 1.0 / (1.0 + math.exp(-log_odds)))
        prequential.observe(log_odds, is_fraud, stands_for, lambda: AS_IT_IS)
        seen.append((log_odds, is_fraud, stands_for))
    found = prequential_bins(prequential.counts())
    edges = [-99.0, *range(-7, 3), 99.0]
    assert len(found) == len(edges) - 1
    for one, (low, high) in zip(found, pairwise(edges), strict=True):
        of_bin = [each for each in seen if low <= each[0] < high]
        charges = sum(weight for _, _, weight in of_bin)
        assert one.charges == pytest.approx(charges)
        assert one.frauds == pytest.approx(sum(weight for _, fraud, weight in of_bin if fraud))
        mean = sum(weight / (1.0 + math.exp(-odds)) for odds, _, weight in of_bin) / charges
        assert one.predicted == pytest.approx(mean, rel=0.06), "to half a cell"
        assert one.observed == pytest.approx(one.frauds / charges)
