"""All metrics of an evaluation under the names users rely on: overall, by day and by segment."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.decisions import ACTIONS
from agents.evaluation.metrics import (
    auc_roc,
    average_precision,
    brier,
    calibration,
    calibration_error,
    card_precision,
    recall_at,
)
from agents.evaluation.money import money
from agents.evaluation.outcomes import DAY_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.decisions import Costs
    from agents.evaluation.outcomes import Outcomes

BLOCK_RATES = (0.001, 0.005, 0.01)

PARTS_MAX = 12
"""Parts of a segment listed one by one, the largest first; the rest counts as one."""


def evaluate(outcomes: Outcomes, costs: Costs) -> dict[str, Any]:
    """Return the metrics as plain JSON values; what cannot be said is None.

    Returns
    -------
    ``charges``, ``frauds``, ``auc_roc``, ``average_precision``, ``card_precision_at_100``,
    ``brier``, ``calibration_error``, ``calibration`` (deciles), ``recall_at_block_rate``, ``money``
    (units of the reference currency), ``actions``, ``by_day`` and ``by_segment``.
    """
    deciles = calibration(outcomes.score, outcomes.fraud)
    return {
        **_headline(outcomes),
        "card_precision_at_100": card_precision(
            outcomes.score, outcomes.fraud, outcomes.card, outcomes.day
        ),
        "calibration_error": calibration_error(deciles),
        "calibration": [asdict(part) for part in deciles],
        "recall_at_block_rate": {
            str(rate): recall_at(outcomes.score, outcomes.fraud, rate) for rate in BLOCK_RATES
        },
        "money": _money(outcomes, costs),
        "actions": _actions(outcomes),
        "by_day": _by_day(outcomes),
        "by_segment": {name: _by_part(outcomes, part) for name, part in outcomes.segments.items()},
    }


def _headline(outcomes: Outcomes) -> dict[str, Any]:
    return {
        "charges": len(outcomes),
        "frauds": int(np.count_nonzero(outcomes.fraud)),
        "auc_roc": auc_roc(outcomes.score, outcomes.fraud),
        "average_precision": average_precision(outcomes.score, outcomes.fraud),
        "brier": brier(outcomes.score, outcomes.fraud),
    }


def _money(outcomes: Outcomes, costs: Costs) -> dict[str, float | None]:
    result = money(outcomes, costs)
    return {
        "cost": result.cost,
        "cost_of_nothing": result.cost_of_nothing,
        "cost_by_amount": result.cost_by_amount,
        "amount_limit": result.amount_limit if np.isfinite(result.amount_limit) else None,
        "saved_against_nothing": result.saved_against_nothing,
        "saved_against_amount": result.saved_against_amount,
    }


def _actions(outcomes: Outcomes) -> dict[str, dict[str, Any]]:
    actions = {}
    for code, name in enumerate(ACTIONS):
        rows = outcomes.action == code
        actions[name] = {
            "charges": int(np.count_nonzero(rows)),
            "frauds": int(np.count_nonzero(outcomes.fraud[rows])),
            "amount": float(outcomes.amount[rows].sum()),
            "fraud_amount": float(outcomes.amount[rows & outcomes.fraud].sum()),
        }
    return actions


def _by_day(outcomes: Outcomes) -> list[dict[str, Any]]:
    day = outcomes.day
    return [
        {
            "day": datetime.fromtimestamp(today * DAY_S, UTC).date().isoformat(),
            **_headline(part := outcomes.only(day == today)),
            "score_mean": float(part.score.mean()),
        }
        for today in np.unique(day).tolist()
    ]


def _by_part(outcomes: Outcomes, parts: NDArray[np.str_]) -> dict[str, dict[str, Any]]:
    names, counts = np.unique(parts, return_counts=True)
    largest = names[np.argsort(-counts, kind="stable")][:PARTS_MAX]
    rows = {str(name): parts == name for name in largest}
    if len(names) > PARTS_MAX:
        rows["all others"] = ~np.isin(parts, largest)
    return {
        name: {
            **_headline(part := outcomes.only(chosen)),
            "recall_at_1_percent": recall_at(part.score, part.fraud, 0.01),
            "score_mean": float(part.score.mean()),
        }
        for name, chosen in rows.items()
    }
