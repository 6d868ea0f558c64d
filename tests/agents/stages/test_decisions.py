"""Decisions against the outcomes played out one by one, and properties they must never lose."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.settings.costs import Costs
from agents.stages.decisions import ReviewBudget, expected_costs
from schemas.scored import ACTIONS, REVIEW
from tests.agents.stages.choosing import chosen

shares = st.floats(0.0, 1.0)
money = st.floats(0.0, 100.0)
cost_tables = st.builds(
    Costs,
    fraud_loss_share=shares,
    dispute_fee_usd=money,
    margin_share=shares,
    challenge_cost_usd=money,
    challenge_success_share=shares,
    challenge_abandonment_share=shares,
    verification_amount_usd=money,
    review_cost_usd=money,
    review_success_share=shares,
    review_capacity_share=shares,
)


def played_out(action: str, p: float, amount: float, costs: Costs) -> float:
    """Return the mean cost over all that can happen: fraud or not, the action works or not."""
    total = 0.0
    for fraud, works in itertools.product((True, False), (True, False)):
        chance = p if fraud else 1.0 - p
        let_through, spent = True, 0.0
        if action == "block":
            chance *= 0.5
            let_through = False
        elif action == "allow":
            chance *= 0.5
        elif action == "challenge":
            spent = costs.challenge_cost_usd
            stops = costs.challenge_success_share if fraud else costs.challenge_abandonment_share
            chance *= stops if works else 1.0 - stops
            let_through = not works
        else:
            spent = costs.review_cost_usd
            chance *= costs.review_success_share if works else 1.0 - costs.review_success_share
            let_through = works != fraud
        if fraud and let_through:
            spent += amount * costs.fraud_loss_share + costs.dispute_fee_usd
        if not fraud and not let_through:
            spent += amount * costs.margin_share
        total += chance * spent
    return total


@given(st.floats(0.0, 1.0), st.floats(0.01, 1e5), cost_tables)
def test_expected_costs_are_the_mean_over_all_outcomes(
    p: float, amount: float, costs: Costs
) -> None:
    result = expected_costs(np.array([p]), np.array([amount]), costs)[:, 0]
    expected = [played_out(action, p, amount, costs) for action in ACTIONS]
    np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-9)


@given(st.floats(0.0, 1.0), cost_tables)
def test_a_card_verification_is_decided_as_what_it_stands_for(p: float, costs: Costs) -> None:
    result = expected_costs(np.array([p]), np.array([0.0]), costs)[:, 0]
    expected = [played_out(action, p, costs.verification_amount_usd, costs) for action in ACTIONS]
    np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=200)
@given(st.floats(0.01, 1e5), cost_tables)
def test_a_higher_probability_only_moves_on_to_costs_that_rise_less(
    amount: float, costs: Costs
) -> None:
    p = np.linspace(0.0, 1.0, 101)
    costs = dataclasses.replace(costs, review_capacity_share=1.0)
    actions = chosen(p, np.full(101, amount), costs, ReviewBudget())
    ends = expected_costs(np.array([0.0, 1.0]), np.full(2, amount), costs)
    slopes = (ends[:, 1] - ends[:, 0])[actions]
    assert (np.diff(slopes) <= 1e-9 * (1.0 + np.abs(ends).max())).all()


@given(st.floats(0.01, 1e5))
def test_with_the_default_costs_a_higher_probability_is_never_treated_more_mildly(
    amount: float,
) -> None:
    costs = Costs(review_capacity_share=0.0)
    actions = chosen(np.linspace(0.0, 1.0, 201), np.full(201, amount), costs, ReviewBudget())
    assert (np.diff(actions.astype(int)) >= 0).all()
    assert ACTIONS[actions[0]] == "allow"
    assert ACTIONS[actions[-1]] == "block"


@given(
    st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.01, 1e4)), max_size=60),
    cost_tables,
    st.integers(0, 60),
)
def test_each_charge_gets_the_cheapest_action_that_there_is_capacity_for(
    charges: list[tuple[float, float]], costs: Costs, cut: int
) -> None:
    p = np.array([charge[0] for charge in charges])
    amount = np.array([charge[1] for charge in charges])
    actions = chosen(p, amount, costs, ReviewBudget())
    cost = expected_costs(p, amount, costs)
    reviews = 0
    for row, action in enumerate(actions.tolist()):
        by_cost = np.argsort(cost[:, row], kind="stable").tolist()
        if by_cost[0] == REVIEW and action != REVIEW:
            assert action == by_cost[1]
        else:
            assert action == by_cost[0]
        reviews += action == REVIEW
        assert reviews <= costs.review_capacity_share * (row + 1) + 1e-6 * (row + 1)
    budget = ReviewBudget()
    parts = [
        chosen(p[:cut], amount[:cut], costs, budget),
        chosen(p[cut:], amount[cut:], costs, budget),
    ]
    assert np.concatenate(parts).tolist() == actions.tolist()


def test_reviews_stop_at_capacity_and_use_it_up() -> None:
    costs = Costs(review_capacity_share=0.01)
    rows = 10_000
    actions = chosen(np.full(rows, 0.3), np.full(rows, 500.0), costs, ReviewBudget())
    assert np.count_nonzero(actions == REVIEW) == 100
    assert (
        chosen(np.full(99, 0.3), np.full(99, 500.0), costs, ReviewBudget()).tolist().count(2) == 0
    )


def test_without_capacity_nothing_is_reviewed() -> None:
    costs = Costs(review_capacity_share=0.0, review_cost_usd=0.0, review_success_share=1.0)
    rng = np.random.default_rng(0)
    actions = chosen(rng.random(1000), rng.exponential(80.0, 1000), costs, ReviewBudget())
    assert REVIEW not in actions


def test_what_a_quiet_time_saves_is_limited() -> None:
    costs = Costs(review_capacity_share=0.01)
    budget = ReviewBudget()
    chosen(np.zeros(50_000), np.ones(50_000), costs, budget)
    actions = chosen(np.full(300, 0.3), np.full(300, 500.0), costs, budget)
    assert np.count_nonzero(actions == REVIEW) == 100 + 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"margin_share": 1.5}, "margin_share: expected a number from 0 to 1, got 1.5"),
        ({"review_cost_usd": -1.0}, "review_cost_usd: expected a number of 0 or more, got -1.0"),
        ({"dispute_fee_usd": float("nan")}, "dispute_fee_usd: expected a number of 0 or more"),
    ],
)
def test_a_wrong_cost_is_named(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Costs(**change)
