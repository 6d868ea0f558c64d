"""What fraud and the interventions cost, against doing nothing and against an amount limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agents.stages.decisions import expected_costs
from schemas.scored import ALLOW, BLOCK

if TYPE_CHECKING:
    from agents.evaluation.outcomes import Outcomes
    from agents.settings.costs import Costs


@dataclass(frozen=True, slots=True)
class Money:
    """Costs in units of the reference currency.

    Attributes
    ----------
    cost
        Of the actions taken: of a challenge or review, what it costs on average given the outcome.
    cost_of_nothing
        Had every charge been allowed.
    cost_by_amount
        Had every charge from `amount_limit` on been blocked.
    amount_limit
        The limit of least cost, known in hindsight; infinite when blocking by amount never pays.
    """

    cost: float
    cost_of_nothing: float
    cost_by_amount: float
    amount_limit: float

    @property
    def saved_against_nothing(self) -> float:
        """Cost of allowing everything less the cost of the actions."""
        return self.cost_of_nothing - self.cost

    @property
    def saved_against_amount(self) -> float:
        """Cost of the best amount limit less the cost of the actions."""
        return self.cost_by_amount - self.cost


def money(outcomes: Outcomes, costs: Costs) -> Money:
    """Return what the actions in `outcomes` cost, and what the two simple rules would have."""
    by_action = expected_costs(outcomes.fraud.astype(np.float64), outcomes.amount, costs)
    taken = by_action[outcomes.action, np.arange(len(outcomes))]
    order = np.argsort(-outcomes.amount, kind="stable")
    amounts = outcomes.amount[order]
    added_by_blocking = np.cumsum((by_action[BLOCK] - by_action[ALLOW])[order])
    # A limit cannot tell equal amounts apart, so only the last of each counts.
    limits = np.append(np.inf, amounts)
    added = np.append(0.0, added_by_blocking)
    valid = np.append(True, np.append(np.diff(amounts) != 0.0, True)[: len(amounts)])
    best = int(np.flatnonzero(valid)[np.argmin(added[valid])])
    nothing = float(by_action[ALLOW].sum())
    return Money(float(taken.sum()), nothing, nothing + float(added[best]), float(limits[best]))
