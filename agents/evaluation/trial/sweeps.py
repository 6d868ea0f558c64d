"""Thresholds swept: what a rule would match with other constants in place of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agents.evaluation.trial.counts import counts_of
from agents.evaluation.trial.labels import FRAUD
from agents.evaluation.trial.trial import SWEEPS_MAX, attributes_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.evaluation.trial.trial import OnTrial
    from agents.evaluation.trial.tried import Tried
    from agents.rules.thresholds import Threshold

SHARES: Final = (0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.005)
"""Of the charges that the rest of the rule matches, what is to be beyond the constants."""

_DIGITS = 3


def sweeps(on_trial: OnTrial, tried: Tried) -> list[dict[str, Any]]:
    """Return what becomes of each threshold of the rules.

    Returns
    -------
    Of each ``id`` of the rule, ``attribute``, ``operator``, ``constant``, ``rest`` (the rest of the
    rule), ``charges`` (how many the rest matches, with a value to compare) and ``points``: in the
    order of its ``constant`` each with the counts of what the rule would match, ``own`` where it is
    the constant of the rule, ``precision`` (the frauds among those of which it is known) and
    ``recall`` (the share of all frauds).
    """
    thresholds = on_trial.thresholds[:SWEEPS_MAX]
    attributes = attributes_of([threshold for _, threshold in thresholds])
    rules = on_trial.rules.rules
    return [
        {
            "id": rules[number].label,
            "action": rules[number].action,
            "shadow": rules[number].is_shadow,
            **_swept(
                threshold,
                tried,
                tried.rests.row(place),
                tried.values[attributes.index(threshold.attribute.key)],
            ),
        }
        for place, (number, threshold) in enumerate(thresholds)
    ]


def _swept(
    threshold: Threshold,
    tried: Tried,
    rest: NDArray[np.bool_],
    values: NDArray[np.float64],
) -> dict[str, Any]:
    compared = rest & ~np.isnan(values)
    frauds = int(np.count_nonzero(tried.labels == FRAUD))
    points = []
    for constant in sorted({*_constants(threshold, values[compared]), threshold.constant}):
        counts = counts_of(tried, rest & threshold.holds(values, constant))
        known = counts["frauds"] + counts["genuine"]
        points.append(
            {
                "constant": constant,
                "own": constant == threshold.constant,
                **counts,
                "precision": counts["frauds"] / known if known else None,
                "recall": counts["frauds"] / frauds if frauds else None,
            }
        )
    return {
        "attribute": str(threshold.attribute),
        "operator": threshold.operator,
        "constant": threshold.constant,
        "rest": str(threshold.rest),
        "charges": int(np.count_nonzero(compared)),
        "points": points,
    }


def _constants(threshold: Threshold, values: NDArray[np.float64]) -> set[float]:
    """Return constants beyond which about `SHARES` of some values are, in a few digits."""
    if not len(values):
        return set()
    shares = np.array(SHARES)
    below = 1.0 - shares if threshold.is_lower_limit else shares
    found = np.quantile(values, below, method="inverted_cdf").tolist()
    return {float(f"{value:.{_DIGITS}g}") for value in found if np.isfinite(value)}
