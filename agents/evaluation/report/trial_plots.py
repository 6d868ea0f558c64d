"""The plots of what rules would change, each a data URI."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from agents.evaluation.formatting import dollars
from agents.evaluation.report.drawing import (
    ACCENT,
    COUNT,
    FRAUD,
    GENUINE,
    INK,
    LINE,
    MUTED,
    PERCENT,
    WHOLE,
    drawing,
)
from agents.evaluation.trial.wording import signed_dollars
from agents.rules.literals import number_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    Rows = Sequence[Mapping[str, Any]]

_HALF = 5.0
_ROW, _REST = 0.34, 1.1
"""Height of a bar, and of what is beside the bars, inches."""

_PARTS = (("frauds", FRAUD, "fraud"), ("genuine", GENUINE, "genuine"), ("unknown", LINE, "unknown"))


def transitions_plot(rows: Rows) -> str:
    """Draw how many charges go from which action to which, frauds, genuine and unknown ones."""
    names = [f"{row['before']} to {row['after']}" for row in rows]
    with drawing(WHOLE, _REST + _ROW * len(rows)) as plot:
        axes = plot.axes[0]
        left = [0.0] * len(rows)
        for part, color, label in _PARTS:
            widths = [float(row[part]) for row in rows]
            axes.barh(names, widths, left=left, color=color, height=0.6, label=label)
            left = [start + width for start, width in zip(left, widths, strict=True)]
        most = max(left, default=0.0) or 1.0
        for place, row in enumerate(rows):
            text = f"{row['charges']:,} charges, {row['frauds']:,} frauds"
            axes.text(left[place] + 0.01 * most, place, text, va="center", color=INK)
        axes.set(xlim=(0, 1.3 * most))
        _legend_above(axes)
        axes.xaxis.set_major_formatter(COUNT)
        _bars_of(axes)
    return plot.image


def costs_plot(cost: Mapping[str, float]) -> str:
    """Draw what the actions cost before and after."""
    values = [cost["before"], cost["after"]]
    with drawing(_HALF, 1.9) as plot:
        axes = plot.axes[0]
        bars = axes.barh(["before", "after"], values, color=[GENUINE, ACCENT], height=0.6)
        axes.bar_label(bars, [dollars(value) for value in values], padding=6, color=INK)
        axes.set(xlim=(0, max(values) * 1.25 or 1.0))
        axes.xaxis.set_visible(False)
        axes.spines[:].set_visible(False)
        _bars_of(axes)
    return plot.image


def difference_plot(cost: Mapping[str, float]) -> str:
    """Draw by how much the cost changes, with its interval, beside no change."""
    value, low, high = cost["difference"], cost["low"], cost["high"]
    edge = 1.15 * max(abs(low), abs(high), abs(value)) or 1.0
    with drawing(_HALF, 1.9) as plot:
        axes = plot.axes[0]
        axes.axvline(0.0, color=MUTED, linewidth=1.0, linestyle=":")
        axes.hlines(0.0, low, high, color=ACCENT, alpha=0.5, linewidth=8.0)
        axes.plot(value, 0.0, "o", color=ACCENT, markersize=9)
        axes.annotate(
            signed_dollars(value), (value, 0.0), (0, 14), textcoords="offset points", ha="center"
        )
        axes.set(xlim=(-edge, edge), ylim=(-1, 1))
        axes.set(xlabel="costs less   |   costs more")
        axes.yaxis.set_visible(False)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_formatter(lambda amount, _: dollars(amount))
        axes.locator_params(axis="x", nbins=5)
    return plot.image


def precision_plot(rules: Rows) -> str:
    """Draw the precision of rules with its interval."""
    with drawing(_HALF, _REST + _ROW * len(rules)) as plot:
        axes = plot.axes[0]
        for place, rule in enumerate(rules):
            told = rule["precision"]
            if told["value"] is None:
                axes.text(0.01, place, "nothing known", va="center", color=MUTED)
                continue
            axes.hlines(place, told["low"], told["high"], color=ACCENT, alpha=0.4, linewidth=6.0)
            axes.plot(told["value"], place, "o", color=ACCENT, clip_on=False)
        axes.set_yticks(range(len(rules)), [_short(rule["id"]) for rule in rules])
        highest = max(rule["precision"]["high"] or 0.0 for rule in rules)
        axes.set(xlim=(0, min(1.1 * highest, 1.0) or 1.0), ylim=(len(rules) - 0.5, -0.5))
        axes.set_title(" ", fontsize=10.0)  # as high as the legend of the plot beside it
        axes.set(xlabel="Frauds among the charges that it matches")
        axes.xaxis.set_major_formatter(PERCENT)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
    return plot.image


def volume_plot(rules: Rows) -> str:
    """Draw how many charges rules match, and how many of them they decide."""
    names = [_short(rule["id"]) for rule in rules]
    with drawing(_HALF, _REST + _ROW * len(rules)) as plot:
        axes = plot.axes[0]
        places = range(len(rules))
        matched = [rule["matched"]["charges"] for rule in rules]
        decided = [rule["decided"]["charges"] for rule in rules]
        axes.barh(places, matched, color=LINE, height=0.7, label="matches")
        axes.barh(places, decided, color=ACCENT, height=0.4, label="decides")
        axes.set_yticks(places, names)
        axes.set(xscale="symlog", xlabel="Charges (log scale)", ylim=(len(rules) - 0.5, -0.5))
        axes.set(xlim=(0, 3.0 * max(*matched, 3)))
        axes.xaxis.set_major_formatter(COUNT)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        _legend_above(axes)
    return plot.image


def sweep_plot(sweep: Mapping[str, Any]) -> str:
    """Draw precision and recall by constant, and how many charges match.

    The constants stand side by side, however far they are apart.
    """
    points = sweep["points"]
    at = range(len(points))
    highest = max(point[name] or 0.0 for point in points for name in ("recall", "precision"))
    with drawing(_HALF, 2.2, 1.3) as plot:
        shares, volume = plot.axes
        for name, color, label in (
            ("recall", FRAUD, "recall"),
            ("precision", ACCENT, "precision"),
        ):
            values = [math.nan if (p := point[name]) is None else p for point in points]
            shares.plot(at, values, "o-", color=color, markersize=4, label=label)
        shares.set(ylim=(0, min(1.25 * highest, 1.03) or 1.0))
        shares.yaxis.set_major_formatter(PERCENT)
        shares.legend(loc="best")
        volume.plot(at, [point["charges"] for point in points], "o-", color=GENUINE, markersize=4)
        volume.set(yscale="symlog", ylabel="Matches", ylim=(0, None))
        volume.set(xlabel=f"{sweep['attribute']} {sweep['operator']} ...")
        volume.yaxis.set_major_formatter(COUNT)
        volume.set_xticks(at, [number_text(point["constant"]) for point in points])
        volume.tick_params(axis="x", rotation=30)
        for place in (place for place in at if points[place]["own"]):
            for axes in plot.axes:
                axes.axvline(place, color=INK, linewidth=1.0, linestyle=":")
    return plot.image


def _legend_above(axes: Axes) -> None:
    """Put the legend where no bar can be, however few there are."""
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.0)


def _bars_of(axes: Axes) -> None:
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.tick_params(axis="y", length=0, labelcolor=INK)


def _short(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:17]}..."
