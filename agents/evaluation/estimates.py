r"""How good actions are, estimated from what is seen while they are carried out.

What is stopped shows no label, so its precision cannot be counted. It can be estimated: the holdout
lets charges through at random, with a known propensity p, and the model's score m is a guess for
each of them. Let n be how many charges one counts for (a silent one that was sampled stands for
others), w = n / p for one whose label y is seen, and A what is asked about: all that the model
chose to block, or all that scores at least a threshold. The frauds in A are estimated by

===================  ============================================================================
`ipw`                inverse propensity: the sum of w y over A (Horvitz and Thompson 1952, "A
                     generalization of sampling without replacement from a finite universe")
`self_normalised`    of what was to be stopped, n summed over what the holdout covers, times
                     sum w y / sum w (Hajek 1971, in "Foundations of Statistical Inference";
                     Swaminathan and Joachims 2015, "The self-normalized estimator for
                     counterfactual learning"); of all else sum w y
`doubly_robust`      sum n m + sum w (y - m): the scores, put right by what the labels that are seen
                     say of them (Robins, Rotnitzky and Zhao 1994, "Estimation of regression
                     coefficients when some regressors are not always observed"; Dudik, Langford and
                     Li 2011, "Doubly robust policy evaluation and learning")
`scores`             sum n m: what calibrated scores alone imply; no label is asked
===================  ============================================================================

The first three are right whatever the scores are worth, as the propensities are known (the second
up to a bias of the order of one label), and the third varies least where the scores are good. Where
p is 0, as above the largest amount of the holdout, nothing is ever seen. The first two say nothing
of such charges: they are of what is covered alone. The third has the scores for them, and is there
as good as those. How much is covered is told.

With N charges in A and F frauds, precision is F / N, recall is F over the frauds of all charges,
and the false-positive rate the genuine charges in A over all genuine ones. N is not estimated, save
for the sampling of silent charges.

The effective sample size is (sum w)^2 / sum w^2 over the labels in A (Kish 1965, Survey Sampling).
Intervals hold the middle 95% of the replicas of `agents.evaluation.matured_sums`. They are of the
charges that might have come; what did come lies in them more often than that, as part of it is seen
for certain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from agents.evaluation.matured_sums import (
    BANDS,
    CHARGES,
    COVERED,
    EXPECTED,
    EXPECTED_OF_SEEN,
    FRAUDS,
    LABELS,
    SEEN,
    SEEN_SQUARES,
    THRESHOLDS,
    replicas_of,
    sums_of,
)
from schemas.scored import ACTIONS, ALLOW
from streams.wire.matured import FRAUD, GENUINE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from agents.evaluation.matured_sums import Sums
    from streams.events.rows import Rows

    Measures = Mapping[str, Mapping[str, NDArray[np.float64]]]
    """By method and measure."""

METHODS = ("ipw", "self_normalised", "doubly_robust", "scores")
MEASURES = ("precision", "recall", "false_positive_rate")

_OF_COVERED = ("ipw", "self_normalised")
_INTERVAL_PERCENT = (2.5, 97.5)
_UNDEFINED_MAX = 0.05
"""Share of the replicas that may leave a measure undefined, for it to have an interval."""


def estimates(charges: Rows, low: NDArray[np.float64] | float = 0.0) -> dict[str, Any]:
    """Return the estimates as plain JSON values; what cannot be said is None.

    Parameters
    ----------
    charges, low
        What `MaturedCharges.kept` gives.

    Returns
    -------
    ``charges`` (how many they count for), ``actions`` (those that stop, by name) and ``thresholds``
    (a list, each with its ``threshold``). Each of these has ``charges``, ``covered`` (the share of
    them that went through by its action or could be drawn), ``labels`` (how many are seen) and
    ``effective_sample_size``; and by name of `MEASURES`, then of `METHODS`, ``value``, ``low`` and
    ``high``.
    """
    sums, replicas = sums_of(charges, low), replicas_of(charges, low)
    return {
        "charges": float(sums[..., CHARGES].sum()),
        **_of_each(lambda chosen: _estimate(sums, replicas, chosen)),
    }


def estimate_all(charges: Rows) -> dict[str, Any]:
    """Return what `estimates` returns of an action, of MATURED_CHARGE[N] that are all in A."""
    everything = np.ones((len(ACTIONS), BANDS), np.bool_)
    return _estimate(sums_of(charges), replicas_of(charges, 0.0), everything)


def truth(charges: Rows, is_fraud: NDArray[np.bool_]) -> dict[str, Any]:
    """Return what there is to estimate, in the form of `estimates`, where all labels are known.

    Parameters
    ----------
    charges
        MATURED_CHARGE[N], all of them; what was seen of them makes no difference.
    is_fraud
        bool[N], whether each would be found to be a fraud before its horizon if it went through.

    Returns
    -------
    ``actions`` and ``thresholds``. Each of these has, of ``all`` charges and of those that are
    ``covered``, the values of `MEASURES`.
    """
    known = charges.copy()
    known["seen"], known["counts"] = np.where(is_fraud, FRAUD, GENUINE), 1.0
    known["propensity"] = 1.0
    parts = {"all": sums_of(known), "covered": sums_of(known[charges["propensity"] > 0.0])}

    def values(chosen: NDArray[np.bool_]) -> dict[str, Any]:
        return {
            name: {
                measure: _or_none(value)
                for measure, value in measures_of(sums, chosen)["doubly_robust"].items()
            }
            for name, sums in parts.items()
        }

    return _of_each(values)


def _of_each(tell: Callable[[NDArray[np.bool_]], dict[str, Any]]) -> dict[str, Any]:
    """Tell of the cells of each action that stops, and of those from each threshold on."""
    return {
        "actions": {
            name: tell(of_action(code)) for code, name in enumerate(ACTIONS) if code != ALLOW
        },
        "thresholds": [
            {"threshold": threshold, **tell(from_band(band))}
            for band, threshold in enumerate(THRESHOLDS, 1)
        ],
    }


def of_action(code: int) -> NDArray[np.bool_]:
    """Return the cells of an action, bool[actions, bands]."""
    chosen = np.zeros((len(ACTIONS), BANDS), np.bool_)
    chosen[code] = True
    return chosen


def from_band(band: int) -> NDArray[np.bool_]:
    """Return the cells of a band of scores and of those above it, bool[actions, bands]."""
    chosen = np.zeros((len(ACTIONS), BANDS), np.bool_)
    chosen[:, band:] = True
    return chosen


def _estimate(sums: Sums, replicas: Sums, chosen: NDArray[np.bool_]) -> dict[str, Any]:
    """Tell of some cells, bool[actions, bands]."""
    added = _added(sums, chosen)
    points, moved = measures_of(sums, chosen), measures_of(replicas, chosen)
    stopped = _added(sums, chosen & ~_GOES_THROUGH)
    is_blind = stopped[CHARGES] > 0.0 and stopped[LABELS] == 0.0
    squares = float(added[SEEN_SQUARES])
    return {
        "charges": float(added[CHARGES]),
        "covered": float(added[COVERED] / added[CHARGES]) if added[CHARGES] else None,
        "labels": int(added[LABELS]),
        "effective_sample_size": float(added[SEEN]) ** 2 / squares if squares else 0.0,
        **{
            measure: {
                method: _NOTHING
                if is_blind and method != "scores"
                else _with_interval(points[method][measure], moved[method][measure])
                for method in METHODS
            }
            for measure in MEASURES
        },
    }


_NOTHING = {"value": None, "low": None, "high": None}
_GOES_THROUGH = of_action(ALLOW)


def measures_of(sums: Sums, chosen: NDArray[np.bool_]) -> Measures:
    """Return the measures of some cells, bool[actions, bands], NaN where they are undefined.

    Each has the shape that `sums` has before its last three axes.
    """
    part, rest = _frauds(sums, chosen), _frauds(sums, ~chosen)
    measures = {}
    for method in METHODS:
        size = COVERED if method in _OF_COVERED else CHARGES
        charges = _added(sums, chosen)[..., size]
        others = _added(sums, ~chosen)[..., size]
        frauds, missed = part[method], rest[method]
        genuine, passed = charges - frauds, others - missed
        measures[method] = {
            "precision": _ratio(frauds, charges),
            "recall": _ratio(frauds, frauds + missed),
            "false_positive_rate": _ratio(genuine, genuine + passed),
        }
    return measures


def _frauds(sums: Sums, chosen: NDArray[np.bool_]) -> dict[str, NDArray[np.float64]]:
    """Return the frauds in some cells by each method; the formulas are those of the module."""
    through = _added(sums, chosen & _GOES_THROUGH)
    stopped = _added(sums, chosen & ~_GOES_THROUGH)
    covered = stopped[..., COVERED]
    share = np.where(covered > 0.0, _ratio(stopped[..., FRAUDS], stopped[..., SEEN]), 0.0)
    whole = through + stopped
    return {
        "ipw": whole[..., FRAUDS],
        "self_normalised": through[..., FRAUDS] + covered * share,
        "doubly_robust": whole[..., EXPECTED] + whole[..., FRAUDS] - whole[..., EXPECTED_OF_SEEN],
        "scores": whole[..., EXPECTED],
    }


def _added(sums: Sums, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.tensordot(sums, chosen.astype(np.float64), axes=([-3, -2], [0, 1]))


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share, NaN of nothing."""
    share: NDArray[np.float64] = np.divide(
        part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0.0
    )
    return share


def _with_interval(
    point: NDArray[np.float64], replicas: NDArray[np.float64]
) -> dict[str, float | None]:
    value = _or_none(point)
    low, high = (None, None) if value is None else interval_of(replicas)
    return {"value": value, "low": low, "high": high}


def interval_of(replicas: NDArray[np.float64]) -> tuple[float, float] | tuple[None, None]:
    """Return the interval of a measure from that of replicas, f8[N]; none if too many are NaN."""
    defined = replicas[~np.isnan(replicas)]
    if len(defined) < (1.0 - _UNDEFINED_MAX) * len(replicas):
        return None, None
    low, high = np.percentile(defined, _INTERVAL_PERCENT).tolist()
    return low, high


def _or_none(value: NDArray[np.float64]) -> float | None:
    return None if np.isnan(value) else float(value)
