"""The play: which events are published when."""

from dataclasses import replace
from itertools import count, islice

import pytest

from agents.demo.scenario import Play, Scenario
from streams.simulator import SimulatedEvent

NOW = 1.75e9
DAY_S = 86_400.0


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return Scenario(
        history_days=16,
        live_s=10,
        charges_per_s=100,
        charges_per_day=400,
        cards=200,
        merchants=40,
        seed=5,
    )


@pytest.fixture(scope="module")
def simulated(scenario: Scenario) -> list[SimulatedEvent]:
    return list(scenario.simulation(NOW).events())


def test_both_parts_are_all_that_happens_until_now(
    scenario: Scenario, simulated: list[SimulatedEvent]
) -> None:
    play = Play(scenario, NOW)
    history = list(play.history(lambda: False))
    live = play.live()
    live_start = NOW - scenario.live_days * DAY_S
    assert play.live_start == pytest.approx(live_start, abs=1e-3)
    assert history == [event for event in simulated if event.publish_time < play.live_start]
    assert history + live == [event for event in simulated if event.publish_time <= NOW]
    charges = sum(event.topic == "charges" for event in live)
    assert charges == pytest.approx(scenario.live_s * scenario.charges_per_s, rel=0.15)


def test_a_history_cut_short_loses_nothing(
    scenario: Scenario, simulated: list[SimulatedEvent]
) -> None:
    play = Play(scenario, NOW)
    asked = count()
    history = list(play.history(lambda: next(asked) == 3000))
    live = play.live()
    assert len(history) == 3000
    assert history + live == simulated[: len(history) + len(live)]
    live_end = play.live_start + scenario.live_days * DAY_S
    assert live[0].publish_time == play.live_start
    assert live[-1].publish_time <= live_end < simulated[len(history) + len(live)].publish_time


def test_what_comes_after_the_live_part_catches_up_with_the_clock(
    scenario: Scenario, simulated: list[SimulatedEvent]
) -> None:
    play = Play(replace(scenario, stays=True), NOW + 6 * 3600.0)
    before = [*play.history(lambda: False), *play.live()]
    assert before == [event for event in simulated if event.publish_time <= NOW]
    began = NOW + 6 * 3600.0 + 180.0  # what came before took three minutes
    rest = list(islice(play.rest(), 300))
    due_s = [play.rest_due_s(event, began) for event in rest]
    assert rest[0].publish_time > NOW
    assert due_s == sorted(due_s)
    assert due_s[0] < 60.0
    # None is of the future when it is sent, and in an hour nothing is left to catch up with.
    late_s = [began + due - event.publish_time for due, event in zip(due_s, rest, strict=True)]
    assert min(late_s) >= 0.0
    assert all(late == 0.0 for late, due in zip(late_s, due_s, strict=True) if due > 3600.0)
    assert due_s[-1] > 3600.0
