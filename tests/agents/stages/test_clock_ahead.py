"""One charge from a clock that is ahead hides nothing of those that come at the right time."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from streams.features.entities import FEATURE_NAMES
from streams.features.windows import AHEAD_S
from tests.agents.stages.stages import DAY, HOUR, START, Message, Run, charge

if TYPE_CHECKING:
    from numpy.typing import NDArray

BURST = 30
AHEAD_S_TRIED = (60.0, 660.0, 3300.0, AHEAD_S)

ARRIVED = {"charges_before", "amount_log_ratio", "amount_over_2x", "amount_over_4x",
           "amount_zscore", "amount_recent_log_ratio", "amount_largest_log_ratio",
           "amount_log_zscore", "deviation_again",
           "hour_share", "weekday_share"}  # fmt: skip
"""What has no time in it: by order of arrival, so with the charge that was ahead."""

LONG = {"count_24h", "count_7d", "count_30d", "sum_24h", "sum_7d", "sum_30d", "pace_24h", "pace_1h",
        "merchants_24h", "merchants_7d", "countries_30d", "devices_30d", "cards_24h",
        "deviation_7d", "other_dispute_share_90d"}  # fmt: skip
"""Longer windows, whose tile of the burst's time may be that of the charge ahead as well."""


def vectors_of(messages: list[Message]) -> tuple[NDArray[np.float32], list[float]]:
    """Return the vectors and scores of charges that come one by one."""
    run = Run()
    scores = [float(run.feed(message)[0]["score"]) for message in messages]
    return np.stack([np.frombuffer(v, np.float32) for v in run.outputs.vectors]), scores


def differing(one: NDArray[np.float32], other: NDArray[np.float32], scope: str) -> set[str]:
    """Name the features of a scope that are not the same, without the scope."""
    return {
        name.removeprefix(scope)
        for name, column, others in zip(FEATURE_NAMES, one.T, other.T, strict=True)
        if name.startswith(scope) and not (column == others).all()
    }


def column(vectors: NDArray[np.float32], name: str) -> list[float]:
    values: list[float] = vectors[:, FEATURE_NAMES.index(name)].tolist()
    return values


def start_of(seed: int) -> float:
    """Return when a burst begins, anywhere in the tiles of its windows."""
    return START + Random(seed).uniform(0, 3 * DAY)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ahead_s", AHEAD_S_TRIED)
def test_burst_of_a_card_is_seen(ahead_s: float, seed: int) -> None:
    """Thirty charges in two minutes at as many shops, after one that is ahead, at one of them."""
    start = start_of(seed)
    burst = [
        charge(f"charge_{i}", start + 4 * i, merchant=f"shop_{i}", amount=2500, device="device")
        for i in range(BURST)
    ]
    ahead = charge("ahead", start + ahead_s, merchant="shop_7", amount=1999, device="device")
    alone, expected = vectors_of(burst)
    after, scores = vectors_of([ahead, *burst])
    after, scores = after[1:], scores[1:]

    counts = [float(i + 1) for i in range(BURST)]
    if ahead_s > 600.0:  # and so in no tile of the burst
        assert column(after, "card_count_10m") == counts
        assert column(after, "card_merchants_1h") == counts
        new = {"since_merchant", "merchant_first", "device_first"}
        short = differing(alone, after, "card_") - ARRIVED - LONG - new
        assert short <= ({"count_1h", "sum_1h"} if ahead_s <= 1200.0 else set()), f"seed {seed}"
    for name in ("count_10m", "count_1h", "count_24h", "count_7d", "count_30d"):
        for value, least in zip(column(after, f"card_{name}"), counts, strict=True):
            assert least <= value <= least + 1, f"{name}, seed {seed}"
    assert all(score >= least * 0.99 for score, least in zip(scores, expected, strict=True)), (
        f"seed {seed}: {scores} {expected}"
    )
    assert scores[-1] > 0.02


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ahead_s", AHEAD_S_TRIED)
def test_cards_tried_out_at_a_merchant_are_seen(ahead_s: float, seed: int) -> None:
    """Thirty cards with a small charge each in two minutes, after a large one that is ahead."""
    start = start_of(seed)
    burst = [
        charge(f"charge_{i}", start + 4 * i, card=f"card_{i}", amount=100) for i in range(BURST)
    ]
    alone, _ = vectors_of(burst)
    after = vectors_of([charge("ahead", start + ahead_s, card="card_a", amount=90_000), *burst])[0]
    after = after[1:]
    assert all(
        1.0 <= value - i <= 2.0 for i, value in enumerate(column(after, "merchant_count_1h"))
    )
    if ahead_s > 1200.0:
        for name in ("count_10m", "cards_1h", "small_cards_1h", "small_share_1h", "sum_1h", "age"):
            values = column(after, f"merchant_{name}")
            assert values == column(alone, f"merchant_{name}"), f"{name}, seed {seed}"
        shares = {f"dispute_share_{days}d" for days in (7, 30, 90)}
        assert differing(alone, after, "merchant_") <= ARRIVED | LONG | shares, f"seed {seed}"


@pytest.mark.parametrize("ahead_s", [0.0, *AHEAD_S_TRIED])
@pytest.mark.parametrize("busy", [0, 20])
def test_duplicate_within_the_window_counts_once(busy: int, ahead_s: float) -> None:
    """A day later, and its card's clock is ahead; its id is in the record, or on disk."""
    first = charge("a", START)
    run = Run(dedup_window_hours=24.0)
    run.feed(first, *(charge(f"other_{i}", START + 1 + i) for i in range(busy)))
    run.commit()
    run.feed(charge("ahead", START + DAY + ahead_s))
    run.commit()
    run.restart()
    again, later, new = run.feed(first, charge("a", START + DAY), charge("a", START + DAY + 0.5))
    assert again["duplicate"] is later["duplicate"] is True
    assert "duplicate" not in new
    assert float(column(np.stack([np.frombuffer(run.outputs.vectors[-1], np.float32)]),
                        "card_charges_before")[0]) == busy + 2  # fmt: skip


def test_card_catches_up_with_what_was_ahead() -> None:
    """An hour later the charge that was ahead is one of the last ten minutes, as any other."""
    messages = [charge("ahead", START + HOUR)]
    messages += [charge(f"charge_{i}", START + 300 * i) for i in range(14)]
    vectors, _ = vectors_of(messages)
    counts = column(vectors, "card_count_10m")[1:]
    assert counts[:11] == [1.0, 2.0, 3.0, *[3.0] * 8]
    assert counts[12:] == [4.0, 4.0]  # at the hour and five minutes after it
    assert column(vectors, "card_since_previous")[1:] == [90 * DAY, *[300.0] * 11, 0.0, 300.0]
    assert column(vectors, "card_age")[1:] == [300.0 * i for i in range(14)]
