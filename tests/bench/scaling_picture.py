"""The picture of cost against size."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING

from agents.evaluation.report.drawing import ACCENT, COUNT, FRAUD, GENUINE, WHOLE, drawing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.scaling import Size

_COLORS = {"workers": ACCENT, "cards": FRAUD, "challengers": GENUINE}


def picture(found: Sequence[Size]) -> bytes:
    """Draw CPU a charge and memory at every size, as SVG."""
    places = range(len(found))
    labels = [f"{one.grows}\n{one.size:,}" for one in found]
    colors = [_COLORS[one.grows] for one in found]
    panels = (
        ("CPU microseconds a charge", [one.run.cpu_s_per_million for one in found]),
        ("Peak memory of a worker, MB", [one.peak_mb for one in found]),
    )
    with drawing(WHOLE, 3.0, 3.0) as plot:
        for axes, (label, heights) in zip(plot.axes, panels, strict=True):
            bars = axes.bar(places, heights, color=colors, width=0.6)
            axes.bar_label(bars, fmt="{:,.0f}")
            axes.set(ylabel=label, ylim=(0, None))
            axes.yaxis.set_major_formatter(COUNT)
        plot.axes[-1].set_xticks(places, labels)
    return b64decode(plot.image.partition(",")[2])
