"""The part of the report on the closed loop that sets estimates beside the truth."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from agents.evaluation.formatting import estimate, percent
from agents.evaluation.report.drawing import ACCENT, INK, PERCENT, WHOLE, drawing
from agents.evaluation.report.markup import Group, figure, note, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agents.evaluation.report.markup import Cell

_MEASURES = {
    "precision": "Precision",
    "recall": "Recall",
    "false_positive_rate": "False-positive rate",
}
_COLUMNS = (
    "Charges",
    "Covered",
    "Labels",
    "Effective",
    "In truth",
    "Doubly robust",
    "By scores",
    "In truth, of the covered",
    "Self-normalised",
    "Inverse propensity",
)


def estimates_parts(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield the pieces of it, from what `agents.evaluation.loop.loop_estimates` gives."""
    if not told["charges"]:
        yield note("The label horizon has passed for none of these charges: nothing to estimate.")
        return
    block = told["actions"]["block"]
    found = estimate(block["precision"]["doubly_robust"])
    true = percent(block["truth"]["all"]["precision"])
    yield figure(
        estimates_plot(told["thresholds"]),
        f"Precision and recall from each threshold on the score: as estimated from what the loop "
        f"has seen, with intervals, and in truth. Of blocks: estimated {found}, in truth {true}.",
        "What can be known while it acts: precision and recall of all that scores at least a "
        "threshold, estimated (doubly robust, with 95% intervals) from what went through and the "
        "holdout, and in truth, which the replay knows.",
    )
    rows = {f"{name}s": each for name, each in told["actions"].items()}
    rows |= {f"from {each['threshold']:g}": each for each in told["thresholds"]}
    yield table(
        "Estimates from what was seen, of the charges whose label horizon has passed",
        ["Charges that are", *_COLUMNS],
        *(
            Group(title, [[name, *_cells(each, measure)] for name, each in rows.items()])
            for measure, title in _MEASURES.items()
        ),
    )


def estimates_plot(thresholds: Sequence[Mapping[str, Any]]) -> str:
    """Draw precision and recall by threshold, estimated and in truth, as a data URI."""
    at = [each["threshold"] for each in thresholds]
    with drawing(WHOLE, 2.0, 2.0) as plot:
        for axes, measure in zip(plot.axes, ("precision", "recall"), strict=True):
            told = [each[measure]["doubly_robust"] for each in thresholds]
            low, value, high = ([_or_nan(e[k]) for e in told] for k in ("low", "value", "high"))
            axes.fill_between(at, low, high, color=ACCENT, alpha=0.2, linewidth=0.0)
            axes.plot(at, value, "o-", color=ACCENT, markersize=4, label="estimated")
            true = [_or_nan(each["truth"]["all"][measure]) for each in thresholds]
            axes.plot(at, true, color=INK, linestyle="--", label="in truth")
            axes.set(xscale="log", ylim=(0, 1.03), ylabel=_MEASURES[measure])
            axes.yaxis.set_major_formatter(PERCENT)
        plot.axes[0].legend(loc="lower right", ncols=2)
        plot.axes[1].set(xlabel="Threshold on the score (log scale)")
        plot.axes[1].xaxis.set_major_formatter(PERCENT)
    return plot.image


def _cells(told: Mapping[str, Any], measure: str) -> list[Cell]:
    decimals = 3 if measure == "false_positive_rate" else 1
    truth, methods = told["truth"], told[measure]
    return [
        f"{told['charges']:,.0f}",
        percent(told["covered"]),
        f"{told['labels']:,}",
        f"{told['effective_sample_size']:,.0f}",
        percent(truth["all"][measure], decimals),
        estimate(methods["doubly_robust"], decimals),
        percent(methods["scores"]["value"], decimals),
        percent(truth["covered"][measure], decimals),
        estimate(methods["self_normalised"], decimals),
        estimate(methods["ipw"], decimals),
    ]


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
