"""Disputes: how many, how late, why."""

import math
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest

from streams.simulator import SimulatedEvent, Simulation

Events = list[SimulatedEvent]
DAY_S = 86_400.0
OFTEN: dict[str, Any] = {"cards": 2_000, "merchants": 200, "days": 6, "charges_per_day": 8_000}


@pytest.fixture(scope="module")
def often() -> Events:
    """A stream with far more frauds than life has, to count them."""
    return list(Simulation(seed=23, fraud_rate=0.2, **OFTEN).events())


def first_delays_days(events: Events) -> dict[object, list[float]]:
    """Days from each fraudulent charge to its `fraudulent` disputes, in order."""
    created = {e.value["id"]: e.event_time for e in events if e.topic == "charges"}
    delays: dict[object, list[float]] = defaultdict(list)
    for event in events:
        if event.topic == "disputes" and event.value["reason"] == "fraudulent":
            charge = event.value["charge"]
            delays[charge].append((event.event_time - created[charge]) / DAY_S)
    return delays


def charges_of(pattern: str, events: Events) -> set[object]:
    return {e.value["id"] for e in events if e.topic == "charges" and e.fraud == pattern}


def within_binomial(found: int, count: int, share: float) -> bool:
    return abs(found - count * share) < 4 * math.sqrt(count * share * (1 - share))


def test_the_share_set_is_never_disputed(often: Events) -> None:
    delays = first_delays_days(often)
    pattern = {
        e.value["id"]: e.fraud
        for e in often
        if e.topic == "charges" and e.fraud and not e.duplicate
    }
    friendly = [charge for charge, name in pattern.items() if name == "friendly_fraud"]
    others = [charge for charge, name in pattern.items() if name != "friendly_fraud"]
    assert all(charge in delays for charge in friendly)
    assert within_binomial(sum(c not in delays for c in others), len(others), 0.12)


def test_a_charge_tells_whether_it_is_disputed_as_fraudulent(often: Events) -> None:
    told = {e.value["id"] for e in often if e.topic == "charges" and e.disputed}
    assert told == first_delays_days(often).keys()


def test_only_fraud_is_disputed_as_fraudulent(events: Events) -> None:
    for event in events:
        if event.topic == "disputes":
            assert (event.value["reason"] == "fraudulent") == (event.fraud is not None)


def test_delays_mix_early_warnings_and_chargebacks_with_a_tail(often: Events) -> None:
    """Against the closed form: 0.4 uniform(1, 5) + 0.6 log-normal(ln 17, 0.7), by pattern."""
    friendly = charges_of("friendly_fraud", often)
    delays = first_delays_days(often)
    first = np.array([days[0] for charge, days in delays.items() if charge not in friendly])

    def chargeback(days: float) -> float:
        return 0.5 * math.erfc(-math.log(days / 17.0) / 0.7 / math.sqrt(2))

    for days in (0.9, 2.0, 5.0, 10.0, 17.0, 30.0, 60.0):
        warned = min(max((days - 1.0) / 4.0, 0.0), 1.0)
        share = 0.4 * warned + 0.6 * chargeback(days)
        assert within_binomial(int((first <= days).sum()), len(first), share), days
    assert (first > 30).mean() > 0.08
    assert first.max() <= 120.1


def test_some_early_warnings_are_followed_by_a_chargeback(often: Events) -> None:
    delays = [days for days in first_delays_days(often).values() if days[0] < 5.0]
    twice = [days for days in delays if len(days) == 2]
    assert 0.2 < len(twice) / len(delays) < 0.35
    assert all(later - first > 0.9 for first, later in twice)


def test_friendly_fraud_gets_no_early_warning(often: Events) -> None:
    friendly = charges_of("friendly_fraud", often)
    delays = first_delays_days(often)
    first = np.array([delays[charge][0] for charge in friendly])
    assert np.median(first) == pytest.approx(17.0, rel=0.1)


def test_the_scale_shortens_every_delay() -> None:
    life, short = (
        first_delays_days(
            list(Simulation(seed=4, dispute_delay_scale=scale, late_share=0.0, **OFTEN).events())
        )
        for scale in (1.0, 1 / 1440)
    )
    assert life.keys() == short.keys()
    for charge, days in life.items():
        assert short[charge] == pytest.approx([day / 1440 for day in days], abs=1e-6)


def test_other_reasons_come_at_their_rate_and_fit_the_channel() -> None:
    events = list(Simulation(seed=9, other_dispute_rate=0.05, **OFTEN).events())
    channel = {e.value["id"]: e.value.get("channel") for e in events if e.topic == "charges"}
    genuine = [e for e in events if e.topic == "charges" and not e.duplicate and not e.fraud]
    other = [e for e in events if e.topic == "disputes" and e.value["reason"] != "fraudulent"]
    assert within_binomial(len(other), len(genuine), 0.05)
    assert len({e.value["charge"] for e in other}) == len(other)
    reasons = {
        name: Counter(e.value["reason"] for e in other if channel[e.value["charge"]] == name)
        for name in ("online", "in_person", "recurring")
    }
    assert reasons["online"].most_common(1)[0][0] == "product_not_received"
    assert reasons["recurring"].most_common(1)[0][0] == "subscription_canceled"
    assert not reasons["in_person"]["subscription_canceled"]
    assert len(reasons["online"] + reasons["in_person"] + reasons["recurring"]) == 7
