"""The plots of the report, each a data URI."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.evaluation.formatting import dollars
from agents.evaluation.metrics import precision_recall
from agents.evaluation.report.drawing import (
    ACCENT,
    COUNT,
    FRAUD,
    GENUINE,
    INK,
    MUTED,
    PERCENT,
    WHOLE,
    drawing,
)
from agents.evaluation.summary import BLOCK_RATES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from agents.evaluation.outcomes import Outcomes

_HALF = 5.0
_POINTS_MAX = 600
_LOWEST_SCORE = 1e-5
_SCORE_TICKS = (1e-5, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99)
_SCORE_BANDS = (1e-4, 3e-4, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
_Z95 = 1.96


def precision_recall_plot(outcomes: Outcomes) -> str:
    """Draw precision over recall, and where the block rates lie on it."""
    curve = precision_recall(outcomes.score, outcomes.fraud)
    with drawing(_HALF, 3.6) as plot:
        axes = plot.axes[0]
        shown = _some(curve.recall)
        axes.plot(curve.recall[shown], curve.precision[shown], color=ACCENT)
        axes.axhline(outcomes.fraud.mean(), color=MUTED, linewidth=1.0, linestyle=":")
        for rate, marker in zip(BLOCK_RATES, "os^", strict=True):
            within = np.flatnonzero(curve.flagged <= rate)[-1:]  # none when even one is too many
            at = (curve.recall[within], curve.precision[within])
            label = f"{100.0 * rate:g}% blocked"
            axes.plot(*at, marker, color=INK, markersize=7, label=label, clip_on=False)
        axes.legend(loc="best")
        axes.set(xlim=(0, 1), ylim=(0, 1.03))
        axes.set(xlabel="Frauds caught (recall)", ylabel="Frauds among the flagged (precision)")
        axes.xaxis.set_major_formatter(PERCENT)
        axes.yaxis.set_major_formatter(PERCENT)
    return plot.image


def roc_plot(outcomes: Outcomes) -> str:
    """Draw recall over the share of genuine charges flagged, which is on a logarithmic axis."""
    curve = precision_recall(outcomes.score, outcomes.fraud)
    frauds = np.count_nonzero(outcomes.fraud)
    genuine = len(outcomes) - frauds
    flagged = np.maximum(curve.flagged * len(outcomes) - curve.recall * frauds, 0.0) / genuine
    lowest = max(1.0 / genuine, 1e-5)
    with drawing(_HALF, 3.6) as plot:
        axes = plot.axes[0]
        shown = _some(np.log(np.maximum(flagged, lowest)) + 10.0 * curve.recall)
        axes.plot(np.maximum(flagged[shown], lowest), curve.recall[shown], color=ACCENT)
        chance = np.geomspace(lowest, 1.0, 100)
        axes.plot(chance, chance, color=MUTED, linewidth=1.0, linestyle=":")
        axes.set(xscale="log", xlim=(lowest, 1), ylim=(0, 1.03))
        axes.set(xlabel="Genuine charges flagged (log scale)", ylabel="Frauds caught (recall)")
        axes.xaxis.set_major_formatter(PERCENT)
        axes.yaxis.set_major_formatter(PERCENT)
    return plot.image


def score_plot(outcomes: Outcomes) -> str:
    """Draw how scores are spread, of genuine charges and of frauds; both axes are logarithmic."""
    lowest, highest = _log_odds(np.array([_LOWEST_SCORE, 0.999])).tolist()
    edges = np.linspace(lowest, highest, 50)
    log_odds = np.clip(_log_odds(outcomes.score), lowest, highest)
    with drawing(_HALF, 3.6) as plot:
        axes = plot.axes[0]
        for kind, color, label in (
            (~outcomes.fraud, GENUINE, "genuine"),
            (outcomes.fraud, FRAUD, "fraud"),
        ):
            charges = np.histogram(log_odds[kind], edges)[0]
            axes.stairs(charges, edges, fill=True, color=color, alpha=0.3)
            axes.stairs(charges, edges, color=color, linewidth=1.5, label=label)
        axes.set_xticks(_log_odds(np.array(_SCORE_TICKS)), [f"{100 * s:g}%" for s in _SCORE_TICKS])
        axes.set(yscale="log", xlim=(lowest, highest), ylim=(0.7, None))
        axes.set(xlabel="Score (log-odds scale)", ylabel="Charges (log scale)")
        axes.yaxis.set_major_formatter(COUNT)
        axes.legend(loc="upper right")
    return plot.image


def calibration_plot(outcomes: Outcomes) -> str:
    """Draw observed over predicted fraud by height of the score, with 95% intervals (Wilson)."""
    band = np.searchsorted(_SCORE_BANDS, outcomes.score, side="right")
    with drawing(_HALF, 3.6) as plot:
        axes = plot.axes[0]
        for place in np.unique(band):
            rows = band == place
            charges, frauds = int(rows.sum()), int(outcomes.fraud[rows].sum())
            predicted = max(float(outcomes.score[rows].mean()), _LOWEST_SCORE)
            axes.vlines(predicted, *_wilson(frauds, charges), color=ACCENT, alpha=0.5)
            if frauds:
                axes.plot(predicted, frauds / charges, "o", color=ACCENT, clip_on=False)
        ends = (_SCORE_BANDS[0] / 10.0, 1.0)
        axes.plot(ends, ends, color=MUTED, linewidth=1.0, linestyle=":")
        axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
        axes.set(xlabel="Predicted fraud (mean score)", ylabel="Observed fraud")
        axes.xaxis.set_major_formatter(PERCENT)
        axes.yaxis.set_major_formatter(PERCENT)
    return plot.image


def days_plot(days: Sequence[Mapping[str, Any]], average_precision: float | None) -> str:
    """Draw, day by day, average precision, fraud as predicted and as observed, and charges."""
    dates = np.array([day["day"] for day in days], "datetime64[D]").astype(object)
    with drawing(WHOLE, 2.0, 2.0, 1.4) as plot:
        quality, rate, volume = plot.axes
        precision = [math.nan if (p := day["average_precision"]) is None else p for day in days]
        quality.plot(dates, precision, "o-", color=ACCENT, markersize=4)
        if average_precision is not None:
            quality.axhline(average_precision, color=MUTED, linewidth=1.0, linestyle=":")
        quality.set(ylim=(0, 1.03), ylabel="Average precision")
        observed = [day["frauds"] / day["charges"] for day in days]
        rate.plot(dates, observed, "o-", color=FRAUD, markersize=4, label="observed")
        predicted = [day["score_mean"] for day in days]
        rate.plot(dates, predicted, color=INK, linestyle="--", label="predicted (mean score)")
        rate.set(ylabel="Fraud")
        rate.set_ylim(0, 1.3 * max(*observed, *predicted, 1e-6))  # with room for the legend
        rate.yaxis.set_major_formatter(PERCENT)
        rate.legend(loc="upper left", ncols=2)
        volume.bar(dates, [day["charges"] for day in days], color=GENUINE, width=0.8)
        volume.set(ylabel="Charges")
        volume.yaxis.set_major_formatter(COUNT)
    return plot.image


def money_plot(money: Mapping[str, Any]) -> str:
    """Draw what allowing all, the best amount limit, and the actions taken cost."""
    costs = {
        "Allow everything": (money["cost_of_nothing"], GENUINE),
        "Block by amount": (money["cost_by_amount"], GENUINE),
        "Chargewatch": (money["cost"], ACCENT),
    }
    with drawing(WHOLE, 1.7) as plot:
        axes = plot.axes[0]
        names = list(costs)
        values = [cost for cost, _ in costs.values()]
        bars = axes.barh(names, values, color=[color for _, color in costs.values()], height=0.6)
        axes.bar_label(bars, [dollars(value) for value in values], padding=6, color=INK)
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.set(xlim=(0, max(values) * 1.12 or 1.0))
        axes.xaxis.set_visible(False)
        axes.spines[:].set_visible(False)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
    return plot.image


def _some(along: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the first, the last, and at most so many places, evenly spread along rising values."""
    wanted = np.linspace(along[0], along[-1], _POINTS_MAX)
    return np.unique(np.searchsorted(along, wanted).clip(0, len(along) - 1))


def _log_odds(score: NDArray[np.float64]) -> NDArray[np.float64]:
    limited = np.clip(score, 1e-9, 1.0 - 1e-9)
    return np.asarray(np.log(limited / (1.0 - limited)))


def _wilson(hits: int, of: int) -> tuple[float, float]:
    """Return the 95% interval of a share.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    >>> [round(limit, 4) for limit in _wilson(3, 100)]
    [0.0103, 0.0845]
    """
    share, square = hits / of, _Z95**2 / of
    middle = (share + square / 2.0) / (1.0 + square)
    half = _Z95 / (1.0 + square) * math.sqrt(share * (1.0 - share) / of + square / (4.0 * of))
    return max(middle - half, 0.0), min(middle + half, 1.0)
