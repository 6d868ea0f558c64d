"""Actions chosen by costs alone, as most tests ask for them."""

import numpy as np
import numpy.typing as npt

from agents.policy.terms import ChargeTerms, Terms
from agents.settings.costs import Costs
from agents.stages.decisions import UNDECIDED, ReviewBudget, Scored, choose
from streams.features.merchant_record import MERCHANT


def chosen(
    score: npt.NDArray[np.float64],
    amount: npt.NDArray[np.float64],
    costs: Costs,
    budget: ReviewBudget,
) -> npt.NDArray[np.uint8]:
    """Return the actions of N charges of one merchant."""
    size = len(score)
    return choose(
        Scored(score, np.zeros(size, np.uint8), amount),
        ChargeTerms.alike(Terms(costs=costs), size),
        np.full(size, UNDECIDED, np.int8),
        np.zeros(1, MERCHANT),
        np.zeros(size, np.intp),
        budget,
    )
