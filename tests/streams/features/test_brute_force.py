"""The features of random streams equal a brute-force computation from the list of all events."""

from __future__ import annotations

from functools import cache
from operator import attrgetter
from random import Random
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.charge import Charge
from schemas.dispute import Dispute
from schemas.outcome import OUTCOMES, Outcome, OutcomeName
from schemas.scored import Action
from streams.features.entities import FEATURE_NAMES, FEATURES
from tests.streams.events.random_events import (
    DAY,
    HOUR,
    RandomEvents,
    RandomOutcomes,
    cut,
    some_charges,
    with_outcomes,
)
from tests.streams.features.brute_force import BruteForce, Observed
from tests.streams.features.kernels import Kernels

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from tests.streams.features.brute_past import AnyEvent

SHAPES: dict[str, dict[str, Any]] = {
    "few cards, many places": {"cards": 3, "merchants": 45},
    "many cards, few merchants": {"cards": 400, "merchants": 2, "pace": 3e-4},
    "clocks ahead, of cards": {"cards": 2, "merchants": 12, "pace": 3e-3, "ahead": 4},
    "clocks ahead, of merchants": {"cards": 60, "merchants": 2, "pace": 3e-3, "ahead": 1},
}
SEEDS = range(3)


def assert_equal_features(
    batches: Sequence[Sequence[AnyEvent]],
    dedup_window_s: float = DAY,
    stopped: Container[Charge] = frozenset(),
    blocked: Container[Charge] = frozenset(),
) -> list[Observed]:
    """Compare every feature of every charge, and what is taken for a duplicate."""
    oracle = BruteForce(dedup_window_s, stopped=stopped, blocked=blocked)
    kernels = Kernels(dedup_window_s, stopped=stopped, blocked=blocked)
    every: list[Observed] = []
    for batch in batches:
        expected = [oracle.observe(event) for event in batch]
        result = kernels.count(batch, [observed.charged_at for observed in expected])
        assert result.duplicates.tolist() == [observed.is_duplicate for observed in expected]
        for event, observed, vector in zip(batch, expected, result.vectors, strict=True):
            if isinstance(event, Charge):
                assert_close(vector, observed.features, event)
        every.extend(expected)
    return every


def assert_close(
    vector: npt.NDArray[np.float32], expected: dict[str, float], charge: Charge
) -> None:
    assert expected.keys() == set(FEATURE_NAMES)
    values = np.array([expected[name] for name in FEATURE_NAMES])
    # Sums are added up in single precision: a few hundred roundings of 2**-24 at the most.
    # Codes are exact.
    tolerance = np.array([0.0 if feature.unit == "category" else 2e-5 for feature in FEATURES])
    wrong = ~np.isclose(vector, values, rtol=tolerance, atol=1e-6)
    assert not wrong.any(), (
        charge,
        {FEATURE_NAMES[i]: (vector[i], values[i]) for i in np.flatnonzero(wrong)},
    )


@cache
def observe(shape: str, seed: int) -> list[tuple[AnyEvent, Observed]]:
    """Check a stream, once for all tests of the module."""
    events = with_outcomes(RandomEvents(seed, **SHAPES[shape]).take(700), seed)
    stopped = some_charges(events, seed)
    blocked = some_charges(sorted(stopped, key=attrgetter("id")), seed, share=0.6)
    observed = assert_equal_features(cut(events, seed), stopped=stopped, blocked=blocked)
    return list(zip(events, observed, strict=True))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_features_equal_brute_force(shape: str, seed: int) -> None:
    assert len(observe(shape, seed)) > 900


def test_random_streams_are_difficult() -> None:
    """No feature stays the same, and everything that makes a stream difficult is in it."""
    streams = [observe(shape, seed) for shape in SHAPES for seed in SEEDS]
    charges = [(e, o) for stream in streams for e, o in stream if isinstance(e, Charge)]
    disputes = [(e, o) for stream in streams for e, o in stream if isinstance(e, Dispute)]
    outcomes = [(e, o) for stream in streams for e, o in stream if isinstance(e, Outcome)]
    values = {name: {o.features[name] for _, o in charges} for name in FEATURE_NAMES}
    assert [name for name, seen in values.items() if len(seen) < 2] == []
    assert max(values["merchant_cards_1h"]) > 30
    assert max(values["merchant_small_cards_1h"]) > 5
    assert max(values["card_merchants_7d"]) > 20
    assert max(values["card_fraud_disputes"]) > 6
    assert max(values["card_failed_checks_24h"]) > 20
    assert sum(o.is_duplicate for _, o in charges) > 100
    assert sum(o.is_duplicate for _, o in disputes) > 30
    assert sum(o.charged_at is None for _, o in disputes) > 5
    assert {e.outcome for e, _ in outcomes} == set(OUTCOMES)
    assert sum(o.is_duplicate for _, o in outcomes) > 100
    assert sum(o.found_at is not None for e, o in outcomes if e.outcome == "dispute_won") > 50
    assert sum(o.found_at is not None for e, o in disputes) > 30
    assert len(values["merchant_stopped_share_7d"]) > 100
    assert max(values["merchant_stopped_share_30d"]) == 1.0
    assert max(values["card_declined_24h"]) > 5
    assert max(values["card_blocked_7d"]) > 20
    assert max(values["merchant_declined_24h"]) > 10
    assert max(values["merchant_blocked_24h"]) > 10
    assert sum(o.found_at is not None for e, o in outcomes if e.outcome == "blocked") > 2
    for shape in SHAPES:
        created = np.array([e.created for e, _ in observe(shape, 0)])
        assert (np.maximum.accumulate(created) - created > 31 * DAY).sum() > 5
        if "ahead" in shape:
            made = np.array([e.created for e, _ in observe(shape, 0) if isinstance(e, Charge)])
            behind = np.maximum.accumulate(made) - made
            assert ((behind > 600.0) & (behind <= HOUR)).sum() > 200


@pytest.mark.parametrize("dedup_window_s", [0.0, 600.0, 30 * DAY])
def test_duplicates_equal_brute_force(dedup_window_s: float) -> None:
    events = RandomEvents(seed=5).take(500)
    expected = assert_equal_features(cut(events, seed=5), dedup_window_s)
    charges = [o for e, o in zip(events, expected, strict=True) if isinstance(e, Charge)]
    assert any(o.is_duplicate for o in charges)


def test_habits_equal_brute_force_beyond_what_a_byte_counts() -> None:
    """Most charges fall on one hour and weekday, so that these are full soon."""
    random = Random(7)
    steps = [random.choice([168, 168, 168, 7]) * HOUR for _ in range(1000)]
    charges = [
        Charge(
            id=f"charge_{number}",
            created=1.7e9 + sum(steps[:number]),
            amount=1000,
            currency="usd",
            card="card_1",
            merchant=f"merchant_{number % 5}",
            mcc=random.choice([5411, 5411, 5411, 5411, 5732, 7995, None, 5800 + number % 9]),
            merchant_country=random.choice(["US", "US", "US", "US", "FR", None]),
        )
        for number in range(1000)
    ]
    expected = assert_equal_features([charges])
    shares = [observed.features["card_category_share"] for observed in expected]
    assert max(shares) > 0.5
    assert 0 < sum(observed.features["card_category_first"] for observed in expected) < 800


EDGES = [0.0, 0.25, 1.0, 119.75, 120.0, 600.0, HOUR, 3 * HOUR, DAY, 7 * DAY, 30 * DAY, 90 * DAY]
"""Steps that put events just at, before and after the ends of tiles and windows."""


FIRST = 0.25
"""The earliest that a charge is found to be a fraud: at 0 it counts as not found."""


@st.composite
def edgy_streams(draw: st.DrawFn) -> list[list[AnyEvent]]:
    """Short streams that begin at the edge of all tiles, at the beginning of time or at sea."""
    now = draw(st.sampled_from([0.0, 90 * 216 * DAY, 1_700_000_000.5]))
    events: list[AnyEvent] = []
    charge_ids = st.integers(0, 12)
    for _ in range(draw(st.integers(1, 25))):
        now += draw(st.sampled_from(EDGES))
        created = max(now - draw(st.just(0.0) | st.sampled_from(EDGES)), 0.0)
        number = draw(charge_ids)
        card, merchant = f"card_{number % 2}", f"merchant_{number % 3}"
        if draw(st.booleans()):
            amount = draw(st.sampled_from([1, 499, 500, 2000, 100_000, 2**53 - 1]))
            place = draw(st.sampled_from([None, "US", "FR"]))
            charge = Charge(f"charge_{number}", created, amount, "usd", card, merchant)
            check = draw(st.sampled_from([None, "fail"]))
            mcc = draw(st.sampled_from([None, 5411, 7995]))
            charge = msgspec.structs.replace(
                charge, merchant_country=place, device=place, cvc_check=check, mcc=mcc
            )
            events.append(charge)
            continue
        about = (f"event_{len(events)}", f"charge_{number}", card, merchant, created or FIRST)
        if draw(st.booleans()):
            reason = draw(st.sampled_from(["fraudulent", "general"]))
            events.append(Dispute(*about, reason))
        else:
            remembered = st.sampled_from(RandomOutcomes.REMEMBERED)
            outcome = draw(remembered | st.sampled_from(get_args(OutcomeName)))
            action = draw(st.sampled_from(get_args(Action))) if outcome == "answered" else None
            events.append(Outcome(*about, outcome, action))
    size = draw(st.integers(1, 25))
    return [events[start : start + size] for start in range(0, len(events), size)]


@settings(max_examples=120, deadline=None)
@given(batches=edgy_streams(), seed=st.integers(0, 3))
def test_features_at_the_edges_equal_brute_force(batches: list[list[AnyEvent]], seed: int) -> None:
    events = [event for batch in batches for event in batch]
    stopped = some_charges(events, seed, share=0.5)
    assert_equal_features(batches, stopped=stopped, blocked=stopped)
