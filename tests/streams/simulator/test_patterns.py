"""Fraud: its rate, its mix, its drift, and what each pattern looks like."""

import itertools
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest

from streams.simulator import (
    DEFAULT_MIX,
    DRIFTED_MIX,
    PATTERNS,
    SimulatedEvent,
    Simulation,
)

Events = list[SimulatedEvent]
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


def of_pattern(charges: Events, pattern: str) -> Events:
    return [e for e in charges if e.fraud == pattern]


def grouped(charges: Events, field: str) -> dict[object, Events]:
    found: dict[object, Events] = defaultdict(list)
    for event in charges:
        found[event.value[field]].append(event)
    return found


def only(pattern: str, seed: int, days: float = 10.0) -> Events:
    """Return a stream's charges in which all fraud is of one pattern."""
    simulation = Simulation(
        seed=seed,
        cards=3_000,
        merchants=400,
        days=days,
        charges_per_day=5_000,
        fraud_rate=0.01,
        mix={pattern: 1.0},
    )
    return [e for e in simulation.events() if e.topic == "charges" and not e.duplicate]


@pytest.mark.parametrize("rate", [0.002, 0.005, 0.02])
def test_the_fraud_rate_is_the_one_set(rate: float) -> None:
    simulation = Simulation(
        seed=31, cards=5_000, merchants=500, days=10, charges_per_day=20_000, fraud_rate=rate
    )
    charges = [e for e in simulation.events() if e.topic == "charges" and not e.duplicate]
    frauds = sum(e.fraud is not None for e in charges)
    # Campaigns cut by the ends of the stream: some 50 charges for each of two patterns.
    assert abs(frauds - rate * len(charges)) < 4 * np.sqrt(rate * len(charges)) + 100


def test_the_mix_is_the_one_set() -> None:
    simulation = Simulation(
        seed=5, cards=5_000, merchants=800, days=20, charges_per_day=10_000, fraud_rate=0.05
    )
    counts = Counter(simulation.truth().values())
    for pattern in PATTERNS:
        assert counts[pattern] / counts.total() == pytest.approx(DEFAULT_MIX[pattern], rel=0.1)


def test_drift_changes_the_mix_and_not_what_came_before() -> None:
    sizes: dict[str, Any] = {"cards": 2_000, "merchants": 200, "days": 20, "charges_per_day": 4_000}
    plain = Simulation(seed=7, fraud_rate=0.02, **sizes)
    at = plain.start + 8 * DAY_S
    drifting = Simulation(seed=7, fraud_rate=0.02, drift_at=at, **sizes)

    def before(simulation: Simulation) -> Events:
        return list(itertools.takewhile(lambda e: e.publish_time < at, simulation.events()))

    assert before(plain) == before(drifting)
    # Compromised merchants of before may go on for four weeks: look at the others alone.
    names = ("stolen_card", "account_takeover")
    after = Counter(
        e.fraud
        for e in drifting.events()
        if e.topic == "charges" and e.event_time > at + 3 * DAY_S and e.fraud in names
    )
    expected = DRIFTED_MIX["account_takeover"] / sum(DRIFTED_MIX[name] for name in names)
    assert after["account_takeover"] / after.total() == pytest.approx(expected, abs=0.05)


def test_card_testing_is_many_cards_small_amounts_one_merchant_at_once() -> None:
    bursts = grouped(of_pattern(only("card_testing", 3), "card_testing"), "merchant")
    seen = 0
    for merchant in bursts.values():
        merchant.sort(key=lambda e: e.event_time)
        gaps = np.diff([e.event_time for e in merchant])
        for burst in np.split(np.array(merchant, dtype=object), np.flatnonzero(gaps > HOUR_S) + 1):
            cards = {value["card"] for _, _, value, *_ in burst}
            seen += len(burst) >= 15 and len(cards) > 0.9 * len(burst)
    assert seen >= 8


def test_tested_amounts_are_small() -> None:
    tested = of_pattern(only("card_testing", 4), "card_testing")
    dollars = [int(str(e.value["amount"])) for e in tested if e.value["currency"] == "usd"]
    assert dollars
    assert max(dollars) < 500


def test_a_stolen_card_is_spent_within_two_days_for_more_than_usual() -> None:
    charges = only("stolen_card", 6)
    usual = {
        card: float(np.median([amount(e) for e in own if e.fraud is None] or [np.nan]))
        for card, own in grouped(charges, "card").items()
    }
    sprees = grouped(of_pattern(charges, "stolen_card"), "card")
    spans_s = [own[-1].event_time - own[0].event_time for own in sprees.values()]
    assert np.median(spans_s) < 12 * HOUR_S
    assert np.median([len(own) for own in sprees.values()]) >= 4
    ratios = [amount(e) / usual[card] for card, own in sprees.items() for e in own]
    assert np.nanmedian(ratios) > 2


def amount(event: SimulatedEvent) -> float:
    """Return the amount in dollars, roughly; by rates of the test's own."""
    rate = {"usd": 100, "eur": 92, "gbp": 80, "jpy": 148, "cad": 136, "aud": 152, "sgd": 134}
    rate |= {"brl": 500, "inr": 8300}
    return int(str(event.value["amount"])) / rate[str(event.value["currency"])]


def test_a_taken_over_account_shows_a_new_device_and_larger_amounts_at_known_shops() -> None:
    charges = only("account_takeover", 8, days=25.0)
    genuine = [e for e in charges if e.fraud is None]
    devices = {
        card: {e.value.get("device") for e in own} for card, own in grouped(genuine, "card").items()
    }
    shops = {
        card: {e.value["merchant"] for e in own} for card, own in grouped(genuine, "card").items()
    }
    taken = [
        e
        for e in of_pattern(charges, "account_takeover")
        if "device" in e.value and len(shops.get(e.value["card"], ())) >= 10
    ]
    new = [e.value["device"] not in devices[e.value["card"]] for e in taken]
    known = [e.value["merchant"] in shops[e.value["card"]] for e in taken]
    assert np.mean(new) > 0.9
    assert np.mean(known) > 0.5
    typical = np.median([amount(e) for e in genuine])
    assert np.median([amount(e) for e in taken]) > 2.5 * typical


def test_a_compromised_merchant_loses_a_large_part_of_its_charges_for_days() -> None:
    charges = only("compromised_merchant", 9, days=25.0)
    hit = grouped(of_pattern(charges, "compromised_merchant"), "merchant")
    everything = grouped(charges, "merchant")
    large = {merchant: own for merchant, own in hit.items() if len(own) >= 20}
    assert len(large) >= 10
    shares = [len(own) / len(everything[merchant]) for merchant, own in large.items()]
    spans_days = [(own[-1].event_time - own[0].event_time) / DAY_S for own in large.values()]
    assert np.median(shares) > 0.15
    assert np.median(spans_days) > 7


def test_friendly_fraud_looks_like_the_rest() -> None:
    charges = only("friendly_fraud", 10, days=25.0)
    friendly = of_pattern(charges, "friendly_fraud")
    devices: dict[object, Counter[object]] = defaultdict(Counter)
    for event in charges:
        devices[event.value["card"]][event.value.get("device")] += 1
    online = [e for e in friendly if "device" in e.value]
    own = [devices[e.value["card"]][e.value["device"]] > 1 for e in online]
    assert np.mean(own) > 0.8
    repeated = Counter(e.value["card"] for e in friendly)
    assert max(repeated.values()) >= 3, "some holders do it again and again"


def test_fraud_does_not_stand_out_by_a_single_field(charges: Events) -> None:
    """No value of any one field is fraud by itself in most cases."""
    fields = ("channel", "cvc_check", "postal_check", "three_d_secure", "funding", "mcc")
    for field in fields:
        for value, own in values_of(charges, field).items():
            frauds = sum(e.fraud is not None for e in own)
            assert len(own) < 100 or frauds / len(own) < 0.3, (field, value)


def values_of(charges: Events, field: str) -> dict[object, Events]:
    found: dict[object, Events] = defaultdict(list)
    for event in charges:
        found[event.value.get(field)].append(event)
    return found


def test_a_genuine_rush_looks_like_a_burst_of_card_testing(charges: Events) -> None:
    """Many cards and small amounts at one merchant within the hour also happen honestly."""
    windows: dict[tuple[object, int], list[SimulatedEvent]] = defaultdict(list)
    for event in charges:
        if event.fraud is None and amount(event) < 10 and event.value.get("device"):
            windows[event.value["merchant"], int(event.event_time // HOUR_S)].append(event)
    largest = max(windows.values(), key=lambda own: len({e.value["card"] for e in own}))
    assert len({e.value["card"] for e in largest}) >= 15
