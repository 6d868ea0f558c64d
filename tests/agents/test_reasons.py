"""Reasons against a plain sort of each row's contributions."""

from __future__ import annotations

import numpy as np
import pytest

from agents.reasons import LEAST_LOG_ODDS, REASONS_MAX, Reasons
from streams.feature import Feature

WIDTH = 12
FEATURES = [
    Feature(
        f"f{i}",
        "card",
        "flag" if i % 4 == 3 else "count",
        "none",
        "0",
        "it is {value:.1f}" if i % 4 != 3 else "it is so",
    )
    for i in range(WIDTH)
]


@pytest.mark.parametrize("seed", range(5))
def test_they_are_the_largest_contributions_strongest_first(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = np.where(rng.random((300, WIDTH)) < 0.5, 0.0, rng.normal(5.0, 3.0, (300, WIDTH)))
    vectors = vectors.astype(np.float32)
    # Coarse values, so that ties occur.
    contributions = np.round(rng.normal(0.0, 0.6, (300, WIDTH)), 1)
    result = Reasons(FEATURES).of(vectors, contributions)
    for row, reasons in enumerate(result):
        said = [
            column
            for column in range(WIDTH)
            if contributions[row, column] >= LEAST_LOG_ODDS
            and not (FEATURES[column].unit == "flag" and vectors[row, column] == 0.0)
        ]
        said.sort(key=lambda column: (-contributions[row, column], column))
        assert [reason["feature"] for reason in reasons] == [f"f{c}" for c in said[:REASONS_MAX]]
        for reason, column in zip(reasons, said, strict=False):
            value = vectors[row, column]
            assert reason["value"] == pytest.approx(float(value), rel=1e-5)
            assert reason["text"] == FEATURES[column].text.format(value=value)


def test_a_charge_that_nothing_raised_has_no_reasons() -> None:
    vectors = np.ones((2, WIDTH), np.float32)
    assert Reasons(FEATURES).of(vectors, np.full((2, WIDTH), -3.0)) == [[], []]
    assert Reasons(FEATURES).of(vectors[:0], np.zeros((0, WIDTH))) == []
