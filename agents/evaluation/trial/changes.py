"""What a second policy changes: actions, frauds stopped, genuine charges refused, money."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agents.evaluation.card_bootstrap import replicas_by_card
from agents.evaluation.estimates import interval_of
from agents.evaluation.trial.counts import counts_of
from agents.evaluation.trial.labels import FRAUD, GENUINE
from agents.stages.decisions import costs_under
from schemas.scored import ACTIONS, ALLOW, BLOCK, CHALLENGE, REVIEW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.evaluation.trial.tried import Tried
    from agents.policy.terms import ChargeTerms, TermsTable

_FIGURES: Final = ("frauds_stopped", "genuine_refused", "cost")
_PER: Final = 1000


def transitions(tried: Tried) -> list[dict[str, Any]]:
    """Return from which action to which charges go, those that change first, most charges first."""
    before, after = tried.charges["before"], tried.charges["after"]
    pairs = np.unique(np.stack((before, after), axis=1), axis=0).tolist()
    rows = [
        {
            "before": ACTIONS[old],
            "after": ACTIONS[new],
            **counts_of(tried, (before == old) & (after == new)),
        }
        for old, new in pairs
    ]
    return sorted(rows, key=lambda row: (row["before"] == row["after"], -row["charges"]))


def effects(tried: Tried, terms: TermsTable) -> dict[str, Any]:
    """Return what the actions of either policy come to, and the difference with its interval.

    It is of the charges that are known to be frauds or genuine. A challenge or a review stops a
    fraud, and refuses a genuine charge, by the rates of the cost table.

    Returns
    -------
    ``frauds_stopped`` and ``genuine_refused`` (charges), ``cost`` (units of the reference currency)
    and ``cost_per_1000`` (of 1,000 known charges). Each has ``before``, ``after`` and
    ``difference``, and ``low`` and ``high``, the middle 95% of the replicas of the difference.
    """
    known = tried.charges[np.isin(tried.labels, (FRAUD, GENUINE))]
    is_fraud = tried.labels[np.isin(tried.labels, (FRAUD, GENUINE))] == FRAUD
    of_each = terms.of(known["merchant"], known["method"])
    before, after = (
        _figures(known[side], is_fraud, known["amount"], of_each) for side in ("before", "after")
    )
    moved = np.flatnonzero(known["before"] != known["after"])
    replicas = replicas_by_card(known["card"][moved], (after - before)[moved])
    told = {
        name: _compared(float(before[:, n].sum()), float(after[:, n].sum()), replicas[:, n])
        for n, name in enumerate(_FIGURES)
    }
    share = _PER / len(known) if len(known) else 0.0
    told["cost_per_1000"] = {name: value * share for name, value in told["cost"].items()}
    return {"charges": len(known), **told}


def _figures(
    actions: NDArray[np.uint8],
    is_fraud: NDArray[np.bool_],
    amounts: NDArray[np.float64],
    terms: ChargeTerms,
) -> NDArray[np.float64]:
    """Return of each charge what counts as `_FIGURES`, f8[N, 3]."""
    each = terms.each
    stopped, refused = np.zeros((2, len(ACTIONS), len(actions)))
    stopped[CHALLENGE], refused[CHALLENGE] = (
        1.0 - each["challenge_missed"],
        each["challenge_abandoned"],
    )
    stopped[REVIEW], refused[REVIEW] = 1.0 - each["review_misjudged"], each["review_misjudged"]
    stopped[BLOCK] = refused[BLOCK] = 1.0
    assert not stopped[ALLOW].any()
    costs = costs_under(is_fraud.astype(np.float64), amounts, terms)
    own = np.arange(len(actions))
    return np.stack(
        (
            np.where(is_fraud, stopped[actions, own], 0.0),
            np.where(is_fraud, 0.0, refused[actions, own]),
            costs[actions, own],
        ),
        axis=1,
    )


def _compared(before: float, after: float, replicas: NDArray[np.float64]) -> dict[str, float]:
    low, high = interval_of(replicas)
    assert low is not None
    assert high is not None
    return {
        "before": before,
        "after": after,
        "difference": after - before,
        "low": low,
        "high": high,
    }
