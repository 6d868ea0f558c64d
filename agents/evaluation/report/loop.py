"""The section of the report on the closed loop: beside the open one, by week."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.evaluation.formatting import dollars, number, percent
from agents.evaluation.report.drawing import ACCENT, GENUINE, PERCENT, WHOLE, drawing
from agents.evaluation.report.estimates import estimates_parts
from agents.evaluation.report.markup import Bar, Group, figure, section, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agents.evaluation.report.markup import Cell

_SIDES = {"open": "nobody acts", "closed": "actions carried out"}
_COLOURS = {"open": GENUINE, "closed": ACCENT}
_ACTIONS = ("block", "challenge", "review")


def loop_section(loop: Mapping[str, Any]) -> str:
    """Return the section, from what `loop_summary` and `loop_estimates` give."""
    holdout, saved = loop["closed"]["holdout"], loop["closed"]["saved"]
    cost = f"{dollars(holdout['cost'])}"
    share = f", {percent(holdout['cost'] / saved, 2)} of what is saved" if saved > 0.0 else ""
    whole = [[_SIDES[name], *_cells(loop[name])] for name in _SIDES]
    weeks = [
        [f"{week['week']}, {_SIDES[name]}", *_cells(week[name])]
        for week in loop["by_week"]
        for name in _SIDES
    ]
    columns = ["Loop", "Charges", "Average precision", "Frauds stopped", "Saved"]
    columns += [f"{action}: {what}" for action in _ACTIONS for what in ("precision", "recall")]
    return section(
        "The closed loop",
        "What is stopped is never disputed, so a detector that acts sees less of the fraud that it "
        "meets. Both lines are of the same charges, judged by all disputes of the file.",
        figure(
            loop_plot(loop["by_week"]),
            f"Average precision by week: {number(loop['open']['average_precision'])} over all when "
            f"nobody acts, {number(loop['closed']['average_precision'])} with actions carried out.",
            f"Average precision, and frauds stopped, by week. The holdout let "
            f"{holdout['charges']:,} charges through, {holdout['frauds']:,} of them frauds: "
            f"{cost}{share}.",
        ),
        table(
            "Both loops",
            columns,
            Group("", whole),
            Group("By week", weeks),
        ),
        *estimates_parts(loop["estimates"]),
    )


def loop_plot(weeks: Sequence[Mapping[str, Any]]) -> str:
    """Draw average precision and the share of frauds stopped by week, as a data URI."""
    dates = np.array([week["week"] for week in weeks], "datetime64[D]").astype(object)
    with drawing(WHOLE, 2.0, 1.7) as plot:
        for axes, measure, label in zip(
            plot.axes,
            ("average_precision", "stopped"),
            ("Average precision", "Frauds stopped"),
            strict=True,
        ):
            for name, words in _SIDES.items():
                values = [_or_nan(week[name][measure]) for week in weeks]
                axes.plot(dates, values, "o-", color=_COLOURS[name], markersize=4, label=words)
            axes.set(ylim=(0, 1.03), ylabel=label)
        plot.axes[0].legend(loc="lower right", ncols=2)
        plot.axes[1].yaxis.set_major_formatter(PERCENT)
    return plot.image


def _cells(side: Mapping[str, Any]) -> list[Cell]:
    precision, stopped = side["average_precision"], side["stopped"]
    cells: list[Cell] = [
        f"{side['charges']:,}",
        Bar(number(precision), precision),
        Bar(percent(stopped), stopped),
        dollars(side["saved"]),
    ]
    for action in _ACTIONS:
        cells += [percent(side["actions"][action][what]) for what in ("precision", "recall")]
    return cells


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
