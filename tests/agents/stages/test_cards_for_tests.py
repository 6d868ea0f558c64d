"""Cards for tests force their outcome where that is set, and leave nothing behind."""

from typing import Any

import pytest

from agents.stages.cards_for_tests import CARDS_FOR_TESTS
from streams.simulator import Simulation
from tests.agents.stages.policies import policy_of
from tests.agents.stages.stages import START, Run, charge, dispute, outcome, simulated

ACTIONS = {
    "test_allow": "allow",
    "test_challenge": "challenge",
    "test_review": "review",
    "test_block": "block",
    "test_elevated": "review",
    "test_highest": "block",
}


def of_cards(*cards: str) -> list[Any]:
    return [charge(f"c_{card}", START + place, card=card) for place, card in enumerate(cards)]


def test_each_card_forces_its_outcome_whatever_rules_say() -> None:
    run = Run(test_cards=True)
    run.policy = policy_of(run.settings, all_="# all:\nchallenge if :amount_usd: > 1")
    events = run.feed(*of_cards(*ACTIONS))
    assert {event["card"]: event["action"] for event in events} == ACTIONS
    assert {event["decided_by"] for event in events} == {"test_card"}
    assert all(event["rules"] == [{"id": "all", "action": "challenge"}] for event in events)
    assert [event["risk"] for event in events[-2:]] == [90, 99]
    assert not any("duplicate" in event or "holdout" in event for event in events)
    assert set(ACTIONS) == set(CARDS_FOR_TESTS)


def test_a_rule_can_be_tried_on_the_risk_of_a_card() -> None:
    run = Run(test_cards=True)
    run.policy = policy_of(run.settings, all_="# high:\nblock if :risk: > 95")
    elevated, highest = run.feed(*of_cards("test_elevated", "test_highest"))
    assert "rules" not in elevated
    assert highest["rules"] == [{"id": "high", "action": "block"}]


def test_they_are_cards_like_others_where_it_is_not_set() -> None:
    run = Run()
    first, again = run.feed(*of_cards("test_block", "test_block"))
    assert first["decided_by"] == "model"
    assert again["duplicate"]


@pytest.mark.parametrize("size", [1, 50, 600])
def test_they_change_nothing_else(size: int) -> None:
    """The same stream with and without them gives the same scored events, examples and state."""
    stream = simulated(Simulation(seed=5, cards=40, merchants=5, days=2, charges_per_day=100))
    shop = "merchant"
    told = []
    for has_tests in (False, True):
        run = Run(test_cards=True)
        for start in range(0, len(stream), size):
            messages = stream[start : start + size]
            if has_tests:
                time = START + start
                tests = [
                    charge(f"t{start}_{card}", time, card=card, merchant=shop) for card in ACTIONS
                ]
                messages = [*tests[:3], *messages, *tests[3:]]
            run.feed(*messages)
        run.commit()
        scored = [event for event in run.outputs.events() if event["card"] not in ACTIONS]
        told.append((scored, run.outputs.examples, run.outputs.matured))
    assert told[0] == told[1]


def test_what_is_said_of_their_charges_is_rejected() -> None:
    run = Run(test_cards=True)
    run.feed(*of_cards("test_block"))
    labels = [
        dispute("c_test_block", START + 5, card="test_block"),
        outcome("c_test_block", START + 6, "authorized", card="test_block"),
    ]
    run.feed(*labels, charge("c2", START + 10, card="other"))
    assert [copy.reason for copy in run.outputs.rejected] == ["test_card", "test_card"]
    assert [copy.value for copy in run.outputs.rejected] == [label.value for label in labels]
    assert not len(run.outputs.learned())
