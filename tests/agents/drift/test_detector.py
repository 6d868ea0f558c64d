"""The detector: river's test fed by hand, the split by brute force, and what it is not to find."""

from __future__ import annotations

import statistics
from itertools import pairwise
from math import sqrt

import numpy as np
import pytest
from river.drift import PageHinkley

from agents.drift.detector import shifted_at

SEEDS = range(40)
NORMAL = 10.0


def noise(seed: int, count: int = 60) -> list[float]:
    values: list[float] = np.random.default_rng(seed).normal(NORMAL, 2.0, count).tolist()
    return values


def brute_force(values: list[float]) -> int | None:
    """Do as the module says it does, in plain Python."""
    if len(values) < 14:
        return None
    steps = [b - a for a, b in pairwise(values)]
    deviation = max(statistics.pstdev(steps) / sqrt(2.0), 1e-4)
    middle = statistics.median(values)
    scaled = [min(max((value - middle) / deviation, -4.0), 4.0) for value in values]
    test = PageHinkley(min_instances=14, delta=1.0, threshold=10.0, alpha=1.0)
    fired = False
    for value in scaled:
        test.update(value)  # type: ignore[no-untyped-call]
        fired = fired or test.drift_detected
    if not fired:
        return None

    def apart(split: int) -> float:
        first, second = scaled[:split], scaled[split:]
        errors = 1.0 / sqrt(1.0 / len(first) + 1.0 / len(second))
        return abs(statistics.fmean(first) - statistics.fmean(second)) * errors

    return max(range(1, len(values)), key=apart)


@pytest.mark.parametrize("seed", SEEDS)
def test_it_is_rivers_test(seed: int) -> None:
    random = np.random.default_rng(1000 + seed)
    values = noise(seed, int(random.integers(5, 60)))
    values += (np.array(noise(seed + 500, 12)) + random.uniform(-8.0, 8.0)).tolist()
    found = [shifted_at(np.array(values[:count])) for count in range(1, len(values) + 1)]
    wanted = [brute_force(values[:count]) for count in range(1, len(values) + 1)]
    assert found == wanted, f"seed {seed}"


def test_noise_alone_does_not_fire() -> None:
    fired = [seed for seed in range(500) if shifted_at(np.array(noise(seed))) is not None]
    assert len(fired) <= 5, f"seeds that fired: {fired}"


@pytest.mark.parametrize("deviations", [-4.0, 4.0])
def test_a_shift_of_four_deviations_is_found_within_a_week(deviations: float) -> None:
    missed = []
    for seed in SEEDS:
        values = np.array(noise(seed, 40))
        values[33:] += 2.0 * deviations
        split = shifted_at(values)
        if split is None or abs(split - 33) > 1:
            missed.append((seed, split))
    assert len(missed) <= 2, f"seeds and where they were found: {missed}"


def test_a_single_day_far_off_is_no_shift() -> None:
    for seed in SEEDS:
        values = np.array(noise(seed, 40))
        values[-1] += 1000.0
        assert shifted_at(values) is None, f"seed {seed}"


def test_something_new_in_what_was_always_the_same() -> None:
    values = np.zeros(20)
    assert shifted_at(values) is None
    values[15:] = 0.01
    assert shifted_at(values) == 15
