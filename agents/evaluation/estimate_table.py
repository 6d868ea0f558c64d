"""Estimates of how good the actions are in lines, for the terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from agents.evaluation.estimates import MEASURES, estimates
from agents.evaluation.formatting import aligned, estimate, percent
from streams.durations import DAY_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agents.evaluation.matured_sums import MaturedCharges

_FEW_LABELS = 20
_TITLES = dict(zip(MEASURES, ("precision", "recall", "false-positive rate"), strict=True))
_HEADS = (
    *("charges", "covered", "labels", "effective"),
    *("doubly robust", "self-normalised", "inverse propensity", "by scores"),
)


def estimate_lines(matured: MaturedCharges, days: int) -> Iterator[str]:
    """Yield what there is to say, and tables where there is anything to estimate.

    Parameters
    ----------
    matured
        All that is known.
    days
        How many of the latest days that it has are looked at.
    """
    begins, end = matured.days
    first = max(begins, end - days)
    told = estimates(*matured.kept(first, end))
    if not told["charges"]:
        yield (
            "Nothing to estimate yet: for no charge has the label horizon passed since it was "
            "scored by this version."
        )
        return
    yield (
        f"{told['charges']:,.0f} charges made from {_date(first)} to {_date(end - 1)}, whose label "
        "horizon has passed. Intervals hold 95%."
    )
    actions = told["actions"].values()
    stopped = sum(each["charges"] for each in actions)
    labels = sum(each["labels"] for each in actions)
    if not stopped:
        yield "None of them was to be stopped."
    elif not labels:
        yield (
            f"Of the {stopped:,.0f} that were to be stopped none was let through, so scores alone "
            "say how good that was: set holdout_share, and wait for the label horizon."
        )
    elif labels < _FEW_LABELS:
        yield (
            f"Of the {stopped:,.0f} that were to be stopped only {labels:,} were seen: intervals "
            "are too narrow."
        )
    rows = {name: each for name, each in told["actions"].items() if each["charges"]}
    rows |= {f"from {each['threshold']:g}": each for each in told["thresholds"]}
    for measure, title in _TITLES.items():
        yield ""
        cells = ((name, *_cells(each, measure)) for name, each in rows.items())
        yield from aligned([(title, *_HEADS), *cells])


def _cells(told: Mapping[str, Any], measure: str) -> Sequence[str]:
    decimals = 3 if measure == "false_positive_rate" else 1
    methods = told[measure]
    return (
        f"{told['charges']:,.0f}",
        percent(told["covered"]),
        f"{told['labels']:,}",
        f"{told['effective_sample_size']:,.0f}",
        *(estimate(methods[m], decimals) for m in ("doubly_robust", "self_normalised", "ipw")),
        percent(methods["scores"]["value"], decimals),
    )


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_S, UTC).date().isoformat()
