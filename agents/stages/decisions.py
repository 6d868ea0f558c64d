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

Not every action can be taken of every charge: a method of payment may have no challenge (its row in
`schemas.method_table`). Then the others are chosen among.

A merchant may set from which `risk` on an action is taken. Then that alone decides on this action:
of block, review and challenge the first whose threshold is reached is taken, and the actions that
have none are chosen among by their costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from agents.policy.terms import ChargeTerms, Terms
from schemas.scored import ALLOW, BLOCK, CHALLENGE, REVIEW
from streams.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.settings.costs import Costs
    from streams.events.rows import Rows


REVIEWS_SAVED_MAX = 100
"""Reviews that a quiet time can leave for a busy one."""

_TOKENS_PER_REVIEW = 1_000_000
"""Capacity is counted in whole millionths of a review, so that no sum depends on its order."""


UNDECIDED = -1
"""In place of an action: neither a rule nor a test card has decided."""


@dataclass(slots=True)
class ReviewBudget:
    """Reviews not yet used, in millionths; one for each stream of charges that is decided in order.

    A merchant with a capacity of its own has one in its record instead. Every charge adds
    `review_capacity_share` of a review and every review takes one, so that of the first n charges
    never more than that share is reviewed, at any n, but for those that a rule asks for. It begins
    empty, and what exceeds `REVIEWS_SAVED_MAX` reviews is lost. A clock has no part in it: the same
    charges in the same order get the same actions.
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
    return costs_under(probability, amount, ChargeTerms.alike(Terms(costs=costs), len(amount)))


def costs_under(
    probability: NDArray[np.float64], amount: NDArray[np.float64], terms: ChargeTerms
) -> NDArray[np.float64]:
    """Do as `expected_costs`, each charge by its own terms."""
    by_action: NDArray[np.float64] = _costs_by_action(probability, amount, *terms)
    return by_action


@compiled
def _costs_by_action(
    probability: NDArray[np.float64],
    amount: NDArray[np.float64],
    table: Rows,
    rows: NDArray[np.intp],
) -> NDArray[np.float64]:
    out = np.empty((4, len(probability)))
    for i in range(len(probability)):
        terms = table[rows[i]]
        decided_as = amount[i] if amount[i] > 0.0 else terms.verification_amount
        fraud = probability[i] * (decided_as * terms.loss_share + terms.fee)
        refusal = (1.0 - probability[i]) * (decided_as * terms.margin_share)
        challenged = terms.challenge_missed * fraud + terms.challenge_abandoned * refusal
        out[ALLOW, i] = fraud
        out[CHALLENGE, i] = terms.challenge_cost + challenged
        out[REVIEW, i] = terms.review_cost + terms.review_misjudged * (fraud + refusal)
        out[BLOCK, i] = refusal
    return out


class Scored(NamedTuple):
    """What the action of N charges depends on; amounts in the reference currency."""

    scores: NDArray[np.float64]
    risks: NDArray[np.uint8]
    amounts: NDArray[np.float64]


def choose(
    charges: Scored,
    terms: ChargeTerms,
    decided: NDArray[np.int8],
    records: Rows,
    slots: NDArray[np.intp],
    budget: ReviewBudget,
) -> NDArray[np.uint8]:
    """Return the action of least expected cost for each charge; of equal ones the mildest.

    A charge whose best action is a review takes one from `budget`; when there is none left it gets
    the best of the other actions.

    Parameters
    ----------
    charges
        N of them.
    terms
        Of the charges.
    decided
        i1[N], actions that are chosen already, `UNDECIDED` elsewhere. A review among them is one,
        whether there is one left or not.
    records, slots
        MERCHANT[M] and intp[N], the record of each charge: the reviews that a merchant with a
        capacity of its own has left. Updated in place.
    budget
        Reviews left of all the others; changed by what this batch adds and takes.

    Returns
    -------
    Codes, indexes into `ACTIONS`, shape (N,). How charges are cut into batches makes no difference.
    """
    cost = costs_under(charges.scores, charges.amounts, terms)
    actions, budget.tokens = _cheapest(
        cost, charges.risks, *terms, decided, records, slots, budget.tokens
    )
    return actions


@compiled
def _cheapest(
    cost: NDArray[np.float64],
    risks: NDArray[np.uint8],
    table: Rows,
    rows: NDArray[np.intp],
    decided: NDArray[np.int8],
    records: Rows,
    slots: NDArray[np.intp],
    shared: int,
) -> tuple[NDArray[np.uint8], int]:
    """Return the action for each column of costs, and the tokens that are left for all."""
    actions = np.zeros(cost.shape[1], np.uint8)
    for i in range(cost.shape[1]):
        terms = table[rows[i]]
        tokens = np.int64(records[slots[i]].review_tokens) if terms.has_own_reviews else shared
        income = round(terms.review_capacity * _TOKENS_PER_REVIEW)
        tokens = min(tokens + income, REVIEWS_SAVED_MAX * _TOKENS_PER_REVIEW)
        has_review = tokens >= _TOKENS_PER_REVIEW
        if decided[i] != UNDECIDED:
            action = decided[i]
        else:
            action = _best(cost[:, i], risks[i], terms, has_review)
        if action == REVIEW:
            tokens = max(tokens - _TOKENS_PER_REVIEW, 0)
        if terms.has_own_reviews:
            records[slots[i]].review_tokens = tokens
        else:
            shared = tokens
        actions[i] = action
    return actions, shared


@compiled
def _best(cost: NDArray[np.float64], risk: int, terms: Any, has_review: bool) -> int:
    """Return the first action whose threshold is reached, else the cheapest that has none.

    It is one of those that the charge can have.
    """
    may_review = has_review and terms.actions & (1 << REVIEW) != 0
    may_challenge = terms.actions & (1 << CHALLENGE) != 0
    if risk >= terms.block_at:
        return BLOCK
    if risk >= terms.review_at and may_review:
        return REVIEW
    if risk >= terms.challenge_at and may_challenge:
        return CHALLENGE
    if not np.isnan(terms.block_at):
        cost[BLOCK] = np.inf
    if not np.isnan(terms.review_at) or not may_review:
        cost[REVIEW] = np.inf
    if not np.isnan(terms.challenge_at) or not may_challenge:
        cost[CHALLENGE] = np.inf
    return int(np.argmin(cost))
