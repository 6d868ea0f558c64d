"""Habits: rhythm, favourites, sizes, amounts, and honest people who look odd."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pytest

from streams.simulator import SimulatedEvent, Simulation

Events = list[SimulatedEvent]
HOUR_S = 3600.0


@pytest.fixture(scope="module")
def genuine(charges: Events) -> Events:
    return [e for e in charges if e.fraud is None]


def of_card(events: Events) -> dict[object, Events]:
    found: dict[object, Events] = defaultdict(list)
    for event in events:
        found[event.value["card"]].append(event)
    return found


@pytest.mark.parametrize(("country", "offset_h"), [("GB", 0), ("JP", 9), ("US", -6)])
def test_people_sleep_at_night_in_their_own_time_zone(
    genuine: Events, country: str, offset_h: int
) -> None:
    hours = Counter(
        int((e.event_time / HOUR_S + offset_h) % 24)
        for e in genuine
        if e.value.get("card_country") == country and e.value.get("channel") != "recurring"
    )
    total = sum(hours.values())
    assert sum(hours[h] for h in range(2, 6)) / total < 0.08
    assert sum(hours[h] for h in range(11, 21)) / total > 0.5


def test_saturday_is_busier_than_monday(genuine: Events) -> None:
    days = Counter(int(e.event_time // 86_400 + 3) % 7 for e in genuine)
    assert days[5] > 1.15 * days[0]


def test_merchant_sizes_have_a_heavy_tail(genuine: Events) -> None:
    sizes = sorted(Counter(e.value["merchant"] for e in genuine).values(), reverse=True)
    assert sum(sizes[: len(sizes) // 10]) / sum(sizes) > 0.45
    assert len(sizes) > 550


def test_cards_come_back_to_favourite_merchants(genuine: Events) -> None:
    again = [
        max(Counter(e.value["merchant"] for e in own).values()) / len(own)
        for own in of_card(genuine).values()
        if len(own) >= 30
    ]
    assert len(again) > 100
    assert 0.1 < float(np.median(again)) < 0.5


def test_amounts_vary_less_within_a_card_and_kind_than_between(genuine: Events) -> None:
    amounts: dict[tuple[object, object], list[float]] = defaultdict(list)
    for event in genuine:
        value = event.value
        if value["currency"] == "usd":
            amounts[value["card"], value.get("mcc")].append(math.log(float(str(value["amount"]))))
    groups = [group for group in amounts.values() if len(group) >= 5]
    within = math.sqrt(float(np.mean([np.var(group, ddof=1) for group in groups])))
    overall = float(np.std(np.concatenate(groups)))
    assert within < 0.85 * overall


def test_log_amounts_at_one_merchant_are_about_normal(genuine: Events) -> None:
    largest = Counter(
        e.value["merchant"] for e in genuine if e.value.get("channel") != "recurring"
    ).most_common(5)
    for merchant, _ in largest:
        logs = np.array(
            [
                math.log(float(str(e.value["amount"])))
                for e in genuine
                if e.value["merchant"] == merchant and e.value.get("channel") != "recurring"
            ]
        )
        middle = (logs - np.median(logs)) / np.std(logs)
        assert abs(float(np.mean(middle**3))) < 1.0
        assert (np.abs(middle) < 1).mean() == pytest.approx(0.683, abs=0.08)


def test_several_currencies_with_their_own_minor_units(genuine: Events) -> None:
    medians = {
        currency: float(np.median(amounts))
        for currency, amounts in by_currency(genuine).items()
        if len(amounts) > 100
    }
    assert {"usd", "gbp", "eur", "jpy"} <= set(medians)
    assert 0.5 * 148 < medians["jpy"] / medians["usd"] * 100 < 2.0 * 148


def by_currency(events: Events) -> dict[object, list[float]]:
    found: dict[object, list[float]] = defaultdict(list)
    for event in events:
        found[event.value["currency"]].append(float(str(event.value["amount"])))
    return found


def test_subscriptions_repeat_after_thirty_days_to_the_minor_unit() -> None:
    simulation = Simulation(seed=6, cards=500, merchants=100, days=60, charges_per_day=500)
    paid: dict[tuple[object, ...], list[float]] = defaultdict(list)
    for event in simulation.events():
        value = event.value
        if value.get("channel") == "recurring" and not event.duplicate:
            paid[value["card"], value["merchant"], value["amount"]].append(event.event_time)
    gaps = [times[1] - times[0] for times in paid.values() if len(times) == 2]
    assert len(gaps) > 500
    assert np.allclose(gaps, 30 * 86_400.0, atol=0.01)


def share(events: Events, marks: Sequence[bool]) -> float:
    return sum(marks) / len(events)


def test_some_good_charges_look_odd(genuine: Events) -> None:
    """New devices, other countries, failed checks, far larger amounts: all happen to the honest."""
    online = [e for e in genuine if {"device", "ip_country", "card_country"} <= set(e.value)]
    elsewhere = [e.value["ip_country"] != e.value["card_country"] for e in online]
    failed = ["fail" in (e.value.get("cvc_check"), e.value.get("postal_check")) for e in online]
    assert 0.02 < share(online, elsewhere) < 0.12
    assert 0.03 < share(online, failed) < 0.12
    new_device = 0
    new_merchant = 0
    late_half = genuine[len(genuine) // 2 :]
    devices, merchants = defaultdict(set), defaultdict(set)
    for event in genuine[: len(genuine) // 2]:
        devices[event.value["card"]].add(event.value.get("device"))
        merchants[event.value["card"]].add(event.value["merchant"])
    known = [e for e in late_half if len(devices[e.value["card"]] - {None}) >= 2]
    for event in known:
        new_device += event.value.get("device", None) not in (devices[event.value["card"]] | {None})
        new_merchant += event.value["merchant"] not in merchants[event.value["card"]]
    assert 0.01 < new_device / len(known) < 0.2
    assert 0.1 < new_merchant / len(known) < 0.6
