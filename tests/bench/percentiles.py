"""Percentiles of latencies, and their picture in the manner of HdrHistogram."""

from __future__ import annotations

import math
from base64 import b64decode
from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter

from agents.evaluation.report.drawing import ACCENT, FRAUD, drawing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.latency import Latency

_STEPS_A_DECADE = 20
_DECADES = 5
_COLORS = {"exactly_once": ACCENT, "at_least_once": FRAUD}
_LINES = ("--", "-")


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of the values that at least such a share of them does not exceed.

    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5), quantile([1.0, 2.0, 3.0, 4.0], 0.51)
    (2.0, 3.0)
    """
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def curve(ordered: Sequence[float]) -> list[tuple[float, float]]:
    """Return quantiles by their shares, evenly spread over the nines: 0%, ... 90%, ... 99%, ...

    They end with the largest value.
    """
    found = []
    for step in range(_DECADES * _STEPS_A_DECADE):
        tail = 10.0 ** (-step / _STEPS_A_DECADE)
        if tail * len(ordered) < 1.0:
            break
        found.append((1.0 - tail, quantile(ordered, 1.0 - tail)))
    return [*found, (1.0 - 1.0 / len(ordered), ordered[-1])]


def picture(found: Sequence[Latency]) -> bytes:
    """Draw latency over the percentile, as SVG."""
    rates = sorted({one.rate for one in found})
    with drawing(9.0, 5.0) as plot:
        axes = plot.axes[0]
        for one in found:
            tails = [1.0 / (1.0 - share) for share, _ in one.curve]
            label = f"{one.guarantee}, {one.rate:,} charges/s"
            line = _LINES[rates.index(one.rate) % len(_LINES)]
            axes.plot(
                tails, [ms for _, ms in one.curve],
                color=_COLORS[one.guarantee], linestyle=line, label=label,
            )  # fmt: skip
        axes.set(xscale="log", xlim=(1, None), ylim=(0, None))
        axes.set(xlabel="Percentile", ylabel="Milliseconds from scheduled send to scored event")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100.0 - 100.0 / x:.6g}%"))
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return b64decode(plot.image.partition(",")[2])
