"""The open and the closed loop beside each other, all in all and by week."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.evaluation.estimates import estimates, truth
from agents.evaluation.metrics import average_precision, calibration, calibration_error
from agents.stages.decisions import expected_costs
from schemas.scored import ACTIONS, ALLOW, BLOCK, CHALLENGE, REVIEW
from streams.durations import DAY_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.evaluation.outcome_collector import Drawn, Gathering
    from agents.evaluation.outcomes import Outcomes
    from agents.settings.costs import Costs

_WEEK_DAYS = 7


def loop_summary(opened: Outcomes, closed: Outcomes, drawn: Drawn, costs: Costs) -> dict[str, Any]:
    """Return both loops over the same charges, as plain JSON values.

    Parameters
    ----------
    opened, closed
        What the charges were scored and how they would turn out, when nobody acts and when the
        actions are carried out.
    drawn
        The holdout of the closed loop.
    costs
        By which actions cost.

    Returns
    -------
    ``open`` and ``closed``, each with ``charges``, ``frauds``, ``average_precision``,
    ``calibration_error``, ``actions`` (of each: charges, and the precision and recall of what the
    model chose), ``stopped`` (share of the frauds, in expectation), ``saved`` and ``holdout``
    (charges, frauds, and what it cost); and ``by_week``, the same of each week from the first on.
    """
    withheld = closed.action.copy()
    withheld[drawn.places] = drawn.withheld
    sides = {"open": (opened, opened.action), "closed": (closed, withheld)}
    weeks = []
    days = opened.day  # those of the same charges
    for day in range(int(days.min()), int(days.max()) + 1, _WEEK_DAYS) if len(days) else ():
        week = {
            name: _side(outcomes, chosen, costs, _in_week(outcomes, day))
            for name, (outcomes, chosen) in sides.items()
        }
        begins = datetime.fromtimestamp(day * DAY_S, UTC).date().isoformat()
        weeks.append({"week": begins, **week})
    whole = {
        name: _side(outcomes, chosen, costs, np.ones(len(outcomes), np.bool_))
        for name, (outcomes, chosen) in sides.items()
    }
    return {**whole, "by_week": weeks}


def loop_estimates(gathering: Gathering, horizon_s: float) -> dict[str, Any]:
    """Return the estimates from what the closed loop has seen, each with the truth beside it.

    Parameters
    ----------
    gathering
        Of the closed loop.
    horizon_s
        The label horizon, seconds.

    Returns
    -------
    What `agents.evaluation.estimates.estimates` gives of the charges whose horizon has passed, and
    under ``truth`` of each action and threshold what `agents.evaluation.estimates.truth` does.
    """
    found = estimates(*gathering.matured.kept(*gathering.matured.days))
    known = truth(*gathering.all_matured(horizon_s))
    for name, told in found["actions"].items():
        told["truth"] = known["actions"][name]
    for told, true in zip(found["thresholds"], known["thresholds"], strict=True):
        told["truth"] = {part: true[part] for part in ("all", "covered")}
    return found


def _in_week(outcomes: Outcomes, day: int) -> NDArray[np.bool_]:
    in_week: NDArray[np.bool_] = (outcomes.day >= day) & (outcomes.day < day + _WEEK_DAYS)
    return in_week


def _side(
    outcomes: Outcomes, chosen: NDArray[np.uint8], costs: Costs, rows: NDArray[np.bool_]
) -> dict[str, Any]:
    part, chosen = outcomes.only(rows), chosen[rows]
    by_action = expected_costs(part.fraud.astype(np.float64), part.amount, costs)
    places = np.arange(len(part))
    cost, cost_of_chosen = by_action[part.action, places], by_action[chosen, places]
    is_held_out = chosen != part.action
    frauds = int(np.count_nonzero(part.fraud))
    stops = np.zeros(len(ACTIONS))
    stops[CHALLENGE] = costs.challenge_success_share
    stops[REVIEW] = costs.review_success_share
    stops[BLOCK] = 1.0
    return {
        "charges": len(part),
        "frauds": frauds,
        "average_precision": average_precision(part.score, part.fraud),
        "calibration_error": calibration_error(calibration(part.score, part.fraud)),
        "actions": {
            name: _action(part.fraud, chosen == code, frauds) for code, name in enumerate(ACTIONS)
        },
        "stopped": float(stops[part.action[part.fraud]].sum()) / frauds if frauds else None,
        "saved": float(by_action[ALLOW].sum() - cost.sum()),
        "holdout": {
            "charges": int(np.count_nonzero(is_held_out)),
            "frauds": int(np.count_nonzero(part.fraud & is_held_out)),
            "cost": float((cost - cost_of_chosen).sum()),
        },
    }


def _action(fraud: NDArray[np.bool_], is_chosen: NDArray[np.bool_], frauds: int) -> dict[str, Any]:
    charges, found = int(np.count_nonzero(is_chosen)), int(np.count_nonzero(fraud & is_chosen))
    return {
        "charges": charges,
        "precision": found / charges if charges else None,
        "recall": found / frauds if frauds else None,
    }
