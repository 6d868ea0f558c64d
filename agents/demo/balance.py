"""What acting on the live charges came to: what was stopped, what that cost, and what it saved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agents.evaluation.cost import Money, money
from agents.stages.decisions import expected_costs
from schemas.scored import ALLOW, BLOCK, CHALLENGE, REVIEW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.evaluation.outcomes import Outcomes
    from agents.settings.costs import Costs


class Costing(NamedTuple):
    """So many charges, and what they cost, in units of the reference currency."""

    charges: int
    cost: float


@dataclass(frozen=True, slots=True)
class Balance:
    """What became of charges whose actions were carried out.

    Attributes
    ----------
    stopped_frauds
        With what they would have cost.
    stopped_genuine
        With the margin lost on them.
    checks
        Challenges and reviews, with what they cost themselves.
    missed_frauds
        Those that went through, the holdout's among them.
    holdout
        Charges let through at random.
    holdout_frauds
        The frauds among them.
    money
        What all came to, beside the simple rules.
    """

    stopped_frauds: Costing
    stopped_genuine: Costing
    checks: Costing
    missed_frauds: Costing
    holdout: int
    holdout_frauds: Costing
    money: Money


def balance(
    outcomes: Outcomes, stopped: NDArray[np.bool_], held_out: NDArray[np.bool_], costs: Costs
) -> Balance:
    """Sum up what became of N charges.

    Parameters
    ----------
    outcomes
        With the truth: a fraud is one that is disputed as fraudulent, or would have been.
    stopped
        bool[N], whether it ended by its action.
    held_out
        bool[N], whether it was let through at random.
    costs
        The cost table.
    """
    fraud = outcomes.fraud
    by_action = expected_costs(fraud.astype(np.float64), outcomes.amount, costs)

    def costing(rows: NDArray[np.bool_], action: int) -> Costing:
        return Costing(int(np.count_nonzero(rows)), float(by_action[action][rows].sum()))

    challenges = int(np.count_nonzero(outcomes.action == CHALLENGE))
    reviews = int(np.count_nonzero(outcomes.action == REVIEW))
    checks = Costing(
        challenges + reviews,
        challenges * costs.challenge_cost_usd + reviews * costs.review_cost_usd,
    )
    refused, missed = costing(stopped & ~fraud, BLOCK), costing(fraud & ~stopped, ALLOW)
    return Balance(
        stopped_frauds=costing(stopped & fraud, ALLOW),
        stopped_genuine=refused,
        checks=checks,
        missed_frauds=missed,
        holdout=int(np.count_nonzero(held_out)),
        holdout_frauds=costing(held_out & fraud, ALLOW),
        money=replace(money(outcomes, costs), cost=refused.cost + checks.cost + missed.cost),
    )
