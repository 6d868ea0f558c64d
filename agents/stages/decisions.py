"""Which intervention costs least, in expectation, for a charge of a given probability and amount.

With p the probability that the charge is fraudulent, a its amount, L = a * fraud_loss_share +
dispute_fee the loss of a fraud let through, and M = a * margin_share the margin lost on a good
charge refused, the expected cost of each action is

    allow      p * L
    challenge  cost + p * (1 - success) * L + (1 - p) * abandonment * M
    review     cost + p * (1 - success) * L + (1 - p) * (1 - success) * M
    block      (1 - p) * M

where cost, success and abandonment are those of the challenge and of the review. A charge of 0
verifies a card for charges to come, so it is decided as one of `verification_amount_usd`: by its
own amount nothing would ever be lost by refusing it. Costs that depend
on the charge follow Elkan 2001, "The foundations of cost-sensitive learning", those of payments
Bahnsen et al. 2013, "Cost sensitive credit card fraud detection using Bayes minimum risk". Each
cost is a line in p, so the best action is the lower envelope of four lines: as p rises, the choice
only moves on to an action whose cost rises less with p.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from schemas.scored import ALLOW, BLOCK, CHALLENGE, REVIEW
from streams.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.settings.costs import Costs


REVIEWS_SAVED_MAX = 100
"""Reviews that a quiet time can leave for a busy one."""

_TOKENS_PER_REVIEW = 1_000_000
"""Capacity is counted in whole millionths of a review, so that no sum depends on its order."""


@dataclass(slots=True)
class ReviewBudget:
    """Reviews not yet used, in millionths; one for each stream of charges that is decided in order.

    Every charge adds `review_capacity_share` of a review and every review takes one, so that of the
    first n charges never more than that share is reviewed, at any n. It begins empty, and what
    exceeds `REVIEWS_SAVED_MAX` reviews is lost. A clock has no part in it: the same charges in the
    same order get the same actions.
    """

    tokens: int = 0


def expected_costs(
    probability: NDArray[np.float64], amount: NDArray[np.float64], costs: Costs
) -> NDArray[np.float64]:
    """Return what each action is expected to cost, in the reference currency.

    Parameters
    ----------
    probability
        That the charge will be disputed as fraudulent, shape (N,).
    amount
        In units of the reference currency, shape (N,).
    costs
        The cost table.

    Returns
    -------
    Shape (4, N), in the order of `ACTIONS`; the formulas are those of the module.

    Examples
    --------
    >>> from agents.settings.costs import Costs
    >>> expected_costs(np.array([0.5]), np.array([100.0]), Costs()).round(2)[:, 0].tolist()
    [57.5, 9.98, 7.5, 12.5]
    """
    table = (
        costs.fraud_loss_share,
        costs.dispute_fee_usd,
        costs.margin_share,
        costs.challenge_cost_usd,
        1.0 - costs.challenge_success_share,
        costs.challenge_abandonment_share,
        costs.review_cost_usd,
        1.0 - costs.review_success_share,
    )
    decided_as = np.where(amount > 0.0, amount, costs.verification_amount_usd)
    by_action: NDArray[np.float64] = _costs_by_action(probability, decided_as, table)
    return by_action


@compiled
def _costs_by_action(
    probability: NDArray[np.float64],
    amount: NDArray[np.float64],
    table: tuple[float, float, float, float, float, float, float, float],
) -> NDArray[np.float64]:
    (loss_share, fee, margin_share, challenge, missed, abandoned, review, misjudged) = table
    out = np.empty((4, len(probability)))
    for i in range(len(probability)):
        fraud = probability[i] * (amount[i] * loss_share + fee)
        refusal = (1.0 - probability[i]) * (amount[i] * margin_share)
        out[ALLOW, i] = fraud
        out[CHALLENGE, i] = challenge + missed * fraud + abandoned * refusal
        out[REVIEW, i] = review + misjudged * (fraud + refusal)
        out[BLOCK, i] = refusal
    return out


def choose(
    probability: NDArray[np.float64],
    amount: NDArray[np.float64],
    costs: Costs,
    budget: ReviewBudget,
) -> NDArray[np.uint8]:
    """Return the action of least expected cost for each charge; of equal ones the mildest.

    A charge whose best action is a review takes one from `budget`; when there is none left it gets
    the best of the other actions.

    Parameters
    ----------
    probability, amount, costs
        As for `expected_costs`.
    budget
        Reviews left; changed by what this batch adds and takes.

    Returns
    -------
    Codes, indexes into `ACTIONS`, shape (N,). How charges are cut into batches makes no difference.
    """
    cost = expected_costs(probability, amount, costs)
    income = round(costs.review_capacity_share * _TOKENS_PER_REVIEW)
    actions, budget.tokens = _cheapest(cost, income, budget.tokens)
    return actions


@compiled
def _cheapest(cost: NDArray[np.float64], income: int, tokens: int) -> tuple[NDArray[np.uint8], int]:
    """Return the cheapest action of each column of costs, and the tokens that are left."""
    actions = np.zeros(cost.shape[1], np.uint8)
    for i in range(cost.shape[1]):
        tokens = min(tokens + income, REVIEWS_SAVED_MAX * _TOKENS_PER_REVIEW)
        best = np.argmin(cost[:, i])
        if best == REVIEW and tokens >= _TOKENS_PER_REVIEW:
            tokens -= _TOKENS_PER_REVIEW
        elif best == REVIEW:
            cost[REVIEW, i] = np.inf
            best = np.argmin(cost[:, i])
        actions[i] = best
    return actions, tokens
