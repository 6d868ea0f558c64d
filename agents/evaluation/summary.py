"""All metrics of an evaluation under the names users rely on: overall, by day and by segment."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.evaluation.cost import money
from agents.evaluation.metrics import (
    auc_roc,
    average_precision,
    brier,
    calibration,
    calibration_error,
    card_precision,
    recall_at,
)
from schemas.scored import ACTIONS
from streams.durations import DAY_S

if TYPE_CHECKING:
    from agents.evaluation.outcomes import Outcomes, Segment
    from agents.settings.costs import Costs

BLOCK_RATES = (0.001, 0.005, 0.01)

PARTS_MAX = 12
"""Parts of a segment listed one by one, the largest ones; the rest counts as one."""


def evaluate(outcomes: Outcomes, costs: Costs) -> dict[str, Any]:
    """Return the metrics as plain JSON values; what cannot be said is None.

    Returns
    -------
    What `measures` gives, ``actions``, and what `measures` gives of each part in ``by_day`` (a
    list) and ``by_segment``.
    """
    return {
        **measures(outcomes, costs),
        "actions": _actions(outcomes),
        "by_day": _by_day(outcomes, costs),
        "by_segment": {
            name: _by_part(outcomes, segment, costs) for name, segment in outcomes.segments.items()
        },
    }


def measures(outcomes: Outcomes, costs: Costs) -> dict[str, Any]:
    """Return everything that is measured of any set of charges.

    Returns
    -------
    ``charges``, ``frauds``, ``score_mean``, ``auc_roc``, ``average_precision``,
    ``card_precision_at_100``, ``brier``, ``calibration_error``, ``calibration`` (deciles),
    ``recall_at_block_rate`` and ``money`` (units of the reference currency).
    """
    score, fraud = outcomes.score, outcomes.fraud
    deciles = calibration(score, fraud)
    return {
        "charges": len(outcomes),
        "frauds": int(np.count_nonzero(fraud)),
        "score_mean": float(score.mean()) if len(outcomes) else None,
        "auc_roc": auc_roc(score, fraud),
        "average_precision": average_precision(score, fraud),
        "card_precision_at_100": card_precision(score, fraud, outcomes.card, outcomes.day),
        "brier": brier(score, fraud),
        "calibration_error": calibration_error(deciles),
        "calibration": [asdict(part) for part in deciles],
        "recall_at_block_rate": {str(rate): recall_at(score, fraud, rate) for rate in BLOCK_RATES},
        "money": _money(outcomes, costs),
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


def _by_day(outcomes: Outcomes, costs: Costs) -> list[dict[str, Any]]:
    day = outcomes.day
    return [
        {
            "day": datetime.fromtimestamp(today * DAY_S, UTC).date().isoformat(),
            **measures(outcomes.only(day == today), costs),
        }
        for today in np.unique(day).tolist()
    ]


def _by_part(outcomes: Outcomes, segment: Segment, costs: Costs) -> dict[str, dict[str, Any]]:
    """Measure the parts in their order; where there are too many, the largest ones first."""
    parts, counts = np.unique(segment.part, return_counts=True)
    rest = parts[:0]
    if len(parts) > PARTS_MAX:
        by_size = parts[np.argsort(-counts, kind="stable")]
        parts, rest = by_size[:PARTS_MAX], by_size[PARTS_MAX:]
    rows = {segment.names[part]: segment.part == part for part in parts.tolist()}
    if len(rest):
        rows["all others"] = np.isin(segment.part, rest)
    return {name: measures(outcomes.only(chosen), costs) for name, chosen in rows.items()}
