"""What becomes of a charge: the rates of the cost table."""

from collections import Counter

import numpy as np
import pytest

from agents.acting.fates import draw_of, fate
from agents.settings.costs import Costs
from schemas.scored import ALLOW, BLOCK, CHALLENGE, REVIEW


@pytest.mark.parametrize(
    ("action", "is_fraud", "shares"),
    [
        (ALLOW, True, {None: (1.0, False)}),
        (BLOCK, False, {None: (1.0, True)}),
        (CHALLENGE, True, {"challenge_failed": (0.85, True), "challenge_passed": (0.15, False)}),
        (CHALLENGE, False, {"challenge_abandoned": (0.1, True), "challenge_passed": (0.9, False)}),
        (REVIEW, True, {"review_fraud": (0.95, True), "review_genuine": (0.05, False)}),
        (REVIEW, False, {"review_fraud": (0.05, True), "review_genuine": (0.95, False)}),
    ],
)
def test_fates_have_the_rates_of_the_cost_table(
    action: int, is_fraud: bool, shares: dict[str | None, tuple[float, bool]]
) -> None:
    draws = (np.arange(1000) + 0.5) / 1000
    fates = [fate(action, draw, Costs(), is_fraud=is_fraud) for draw in draws]
    counts = Counter((found.outcome, found.is_stopped) for found in fates)
    assert counts == {
        (outcome, is_stopped): round(1000 * share)
        for outcome, (share, is_stopped) in shares.items()
    }


def test_draws_are_spread_evenly() -> None:
    draws = [draw_of(number.to_bytes(16)) for number in range(10_000)]
    counts, _ = np.histogram(draws, bins=10, range=(0.0, 1.0))
    assert counts.sum() == len(draws)
    assert np.abs(counts - 1000).max() < 4 * np.sqrt(1000)
