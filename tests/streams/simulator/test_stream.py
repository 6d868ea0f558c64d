"""The stream as a whole: determinism, order, lateness, duplicates, memory, shapes of the events."""

import itertools
import json
import math
import re
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.simulator import FAULTS, SimulatedEvent, Simulation

Events = list[SimulatedEvent]


def small(seed: int, days: float = 2.0, **changes: float) -> Simulation:
    parameters = {"cards": 300, "merchants": 40, "charges_per_day": 500.0, **changes}
    return Simulation(seed=seed, days=days, **parameters)  # type: ignore[arg-type]


def fields_wrong(value: dict[str, object]) -> list[str]:
    """Check a charge against the published table of fields, and nothing of the simulator's."""
    text = {"id", "card", "merchant"}
    choices = {
        "funding": {"credit", "debit", "prepaid"},
        "channel": {"online", "in_person", "recurring"},
        "cvc_check": {"pass", "fail", "unchecked"},
        "postal_check": {"pass", "fail", "unchecked"},
    }
    countries = {"merchant_country", "card_country", "ip_country"}
    tokens = {"payment_method", "device", "ip", "email"}
    wrong = sorted((text | {"created", "amount", "currency"}) - set(value))
    for name, item in value.items():
        if name in text | tokens:
            good = isinstance(item, str) and 1 <= len(item) <= 128
        elif name in choices:
            good = item in choices[name]
        elif name in countries:
            good = isinstance(item, str) and bool(re.fullmatch("[A-Z]{2}", item))
        elif name == "currency":
            good = isinstance(item, str) and bool(re.fullmatch("[a-z]{3}", item))
        elif name == "amount":
            good = type(item) is int and item > 0
        elif name == "created":
            good = type(item) is float and math.isfinite(item)
        elif name == "mcc":
            good = type(item) is int and 0 < item < 10_000
        else:
            good = name == "three_d_secure" and type(item) is bool
        if not good:
            wrong.append(name)
    return wrong


def test_every_charge_keeps_to_the_table(charges: Events) -> None:
    assert [e.value for e in charges if fields_wrong(e.value)] == []


def test_every_dispute_is_about_a_charge_published_before(events: Events) -> None:
    published: dict[object, SimulatedEvent] = {}
    seen_ids = set()
    for event in events:
        value = event.value
        if event.topic == "charges":
            published.setdefault(value["id"], event)
            continue
        assert set(value) == {"id", "charge", "card", "merchant", "created", "reason"}
        charge = published[value["charge"]]
        assert (value["card"], value["merchant"]) == (
            charge.value["card"],
            charge.value["merchant"],
        )
        assert event.event_time >= charge.publish_time
        assert event.fraud == charge.fraud
        assert value["id"] not in seen_ids
        seen_ids.add(value["id"])


def test_every_optional_field_is_usually_there_and_sometimes_missing(charges: Events) -> None:
    optional = set().union(*(e.value for e in charges)) - {
        *("id", "created", "amount", "currency", "card", "merchant")
    }
    assert len(optional) == 13
    for name in sorted(optional):
        share = sum(name in e.value for e in charges) / len(charges)
        assert 0.1 < share < 0.999, name


def test_the_key_is_the_card(events: Events) -> None:
    assert all(e.key == str(e.value["card"]).encode() for e in events)


def test_charge_ids_are_unique(charges: Events) -> None:
    assert len({e.value["id"] for e in charges}) == len(charges)


def test_nothing_looks_like_a_card_number(events: Events) -> None:
    for event in events:
        strings = " | ".join(item for item in event.value.values() if isinstance(item, str))
        assert not re.search(r"\d(?:[ -]?\d){12}", strings)


def test_a_day_has_the_charges_asked_for(charges: Events, simulation: Simulation) -> None:
    expected = simulation.charges_per_day * simulation.days
    assert len(charges) == pytest.approx(expected, rel=0.02)


def test_publish_time_never_falls_and_lateness_is_bounded(
    events: Events, simulation: Simulation
) -> None:
    assert all(a.publish_time <= b.publish_time for a, b in itertools.pairwise(events))
    late_s = [e.publish_time - e.event_time for e in events if e.topic == "charges"]
    assert min(late_s) >= 0
    assert 0.5 * simulation.late_max_s < max(late_s) <= simulation.late_max_s + 1e-6


def test_shares_of_late_and_duplicate_charges(events: Events, charges: Events) -> None:
    count = len(charges)
    late = sum(e.publish_time > e.event_time for e in charges)
    duplicates = [e for e in events if e.duplicate]
    for found, share in ((late, 0.01), (len(duplicates), 0.002)):
        sd = math.sqrt(count * share * (1 - share))
        assert abs(found - count * share) < 4 * sd


def test_a_late_charge_comes_after_a_newer_one(charges: Events) -> None:
    newest, overtaken = -math.inf, 0
    for event in charges:
        overtaken += event.event_time < newest
        newest = max(newest, event.event_time)
    late = sum(e.publish_time > e.event_time for e in charges)
    assert 0.5 * late < overtaken <= late


def test_a_duplicate_has_the_same_key_and_body_later(events: Events) -> None:
    first: dict[object, SimulatedEvent] = {}
    for event in events:
        if event.topic == "disputes":
            continue
        if event.duplicate:
            original = first[event.value["id"]]
            assert json.dumps(event.value) == json.dumps(original.value)
            assert (event.key, event.event_time) == (original.key, original.event_time)
        else:
            assert event.value["id"] not in first
            first[event.value["id"]] = event


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**63), hours=st.integers(1, 48))
def test_a_shorter_simulation_begins_as_a_longer_one(seed: int, hours: int) -> None:
    shorter, longer = small(seed, days=hours / 24), small(seed, days=3.0)
    end = shorter.start + hours * 3600.0

    def published_before_the_end(simulation: Simulation) -> Events:
        return list(itertools.takewhile(lambda e: e.publish_time < end, simulation.events()))

    assert published_before_the_end(shorter) == published_before_the_end(longer)
    assert all(e.event_time < end for e in shorter.events() if e.topic == "charges")


def test_the_same_seed_gives_the_same_stream_however_far_it_is_read() -> None:
    simulation = small(5)
    list(itertools.islice(simulation.events(), 100))
    assert list(simulation.events()) == list(small(5).events())


def test_another_seed_gives_another_stream() -> None:
    one, other = ({e.value["id"] for e in small(seed).events()} for seed in (1, 2))
    assert not one & other


def test_truth_names_every_fraudulent_charge(charges: Events, simulation: Simulation) -> None:
    assert simulation.truth() == {e.value["id"]: e.fraud for e in charges if e.fraud}


def test_an_endless_simulation_is_read_in_bounded_memory() -> None:
    stream = small(3, days=math.inf, charges_per_day=40_000.0, dispute_delay_scale=0.01).events()
    list(itertools.islice(stream, 15_000))
    tracemalloc.start()
    try:
        for _ in itertools.islice(stream, 5_000):
            pass
        early = tracemalloc.get_traced_memory()[0]
        for _ in itertools.islice(stream, 30_000):
            pass
        grown = tracemalloc.get_traced_memory()[0] - early
    finally:
        tracemalloc.stop()
    assert grown < 6e6, "an hour's events are 1,700 of about 1 KB; 30,000 would be 30 MB"


def test_an_endless_simulation_has_no_whole_truth() -> None:
    with pytest.raises(ValueError, match=r"^days: "):
        small(1, days=math.inf).truth()


def test_damaged_events_come_beside_the_good_ones() -> None:
    simulation = small(8, days=6.0, malformed_share=0.1)
    good = [e for e in simulation.events() if e.fault is None]
    damaged = [e for e in simulation.events() if e.fault is not None]
    assert good == list(small(8, days=6.0).events())
    assert {e.fault for e in damaged} == set(FAULTS)
    assert not {e.value["id"] for e in good} & {e.value["id"] for e in damaged}
    count = sum(e.topic == "charges" and not e.duplicate for e in good)
    assert abs(len(damaged) - 0.1 * count) < 4 * math.sqrt(0.09 * count)
    for event in damaged:
        value = event.value
        found = {
            "missing": "amount" not in value,
            "type": isinstance(value.get("amount"), str),
            "range": value.get("amount") == -5,
            "key": event.key != str(value["card"]).encode(),
            "future": float(str(value["created"])) > event.publish_time + 86_400 * 365,
            "card_number": "4242 4242 4242 4242" in str(value["card"]),
        }
        assert [name for name, is_so in found.items() if is_so] == [event.fault]


@pytest.mark.parametrize("late_max_s", [0.0, 7200.0])
def test_order_holds_for_any_longest_delay(late_max_s: float) -> None:
    simulation = small(
        4, late_share=0.5, duplicate_share=0.5, malformed_share=0.5, late_max_s=late_max_s
    )
    events = list(simulation.events())
    assert all(a.publish_time <= b.publish_time for a, b in itertools.pairwise(events))
    charges = [e for e in events if e.topic == "charges"]
    assert all(0 <= e.publish_time - e.event_time <= late_max_s + 1e-6 for e in charges)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cards", 0),
        ("merchants", 0),
        ("days", 0.0),
        ("seed", -1),
        ("charges_per_day", -5.0),
        ("fraud_rate", 0.6),
        ("late_share", 1.1),
        ("malformed_share", -0.1),
        ("late_max_s", -1.0),
        ("dispute_delay_scale", 0.0),
        ("mix", {"stolen_card": 0.5}),
        ("drifted_mix", {"unknown": 1.0}),
    ],
)
def test_a_wrong_parameter_is_named(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{name}: "):
        Simulation(**{"seed": 1, name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("cards", "merchants"), [(1, 1), (5, 2), (2, 30)])
def test_the_smallest_populations_work(cards: int, merchants: int) -> None:
    simulation = Simulation(
        seed=2, cards=cards, merchants=merchants, days=2, charges_per_day=500, fraud_rate=0.05
    )
    charges = [e.value for e in simulation.events() if e.topic == "charges"]
    assert len(charges) > 500
    assert not any(map(fields_wrong, charges))
