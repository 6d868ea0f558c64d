"""The section of the report on drift: the main signals over time, and what was found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.evaluation.drift import day_of
from agents.evaluation.report.drawing import ACCENT, FRAUD, MUTED, PERCENT, WHOLE, drawing
from agents.evaluation.report.markup import Group, Text, figure, section, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAIN = {
    "score": "Score of the charges",
    "fraud_score": "Score of the frauds",
    "dispute_rate": "Disputed as fraud",
}
_FEATURES_MAX = 3
_SHARES = {"probability", "share", "flag"}


def drift_section(drift: Mapping[str, Any]) -> str:
    """Return the section, from what `agents.evaluation.drift.drift_summary` gives."""
    if not drift["days"]:
        return ""
    events = drift["events"]
    shown = _shown(events)
    found = f"{len(events)} shifts were found" if len(events) != 1 else "1 shift was found"
    return section(
        "Drift",
        "What was usual, day by day, and where it changed for good. The score of the frauds is the "
        "one that charges had which are disputed now: when it falls while the others stay, fraud "
        "has changed and the model does not know it yet. Early on, all three settle as disputes "
        "begin to come and the model learns from them.",
        figure(
            drift_plot(drift, shown),
            f"{', '.join(shown.values())} on each of {len(drift['days'])} days; {found}.",
            "Each day's mean (of scores geometric). Dashed: when a shift was found; shaded: the "
            "days since which it is seen.",
        ),
        table("Shifts found", ["Signal", "Found", "Since", "Before", "After", Text("Unit")],
              Group("", [_row(event) for event in events])) if events else "",
    )  # fmt: skip


def drift_plot(drift: Mapping[str, Any], shown: Mapping[str, str]) -> str:
    """Draw signals by day with the shifts found of them, as a data URI."""
    dates = _dates(drift["days"])
    with drawing(WHOLE, *(1.7 for _ in shown)) as plot:
        for axes, (name, label) in zip(plot.axes, shown.items(), strict=True):
            signal = drift["signals"][name]
            values = [math.nan if value is None else value for value in signal["values"]]
            axes.plot(dates, values, "o-", color=ACCENT, markersize=4)
            for event in drift["events"]:
                if event["signal"] == name:
                    since, at = _dates([day_of(event["since"]), day_of(event["at"])])
                    axes.axvspan(since, at, color=FRAUD, alpha=0.12, linewidth=0)
                    axes.axvline(at, color=FRAUD, linewidth=1.2, linestyle="--")
            axes.set_title(label, loc="left", color=MUTED, fontsize=10.0)
            if signal["unit"] in _SHARES:
                axes.yaxis.set_major_formatter(PERCENT)
            else:
                axes.set(ylabel=signal["unit"])
    return plot.image


def _shown(events: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the signals to draw with their titles: the main ones, and features that shifted."""
    features = dict.fromkeys(e["signal"] for e in events if e["signal"] not in _MAIN)
    return _MAIN | {name: f"Feature {name}" for name in list(features)[:_FEATURES_MAX]}


def _dates(days: Sequence[str]) -> Any:
    return np.array(days, "datetime64[D]").astype(object)


def _row(event: Mapping[str, Any]) -> list[str | Text]:
    return [
        event["signal"],
        day_of(event["at"]),
        day_of(event["since"]),
        f"{event['before']:.4g}",
        f"{event['after']:.4g}",
        Text(event["unit"]),
    ]
