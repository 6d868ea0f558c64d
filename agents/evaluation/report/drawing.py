"""How plots are drawn: their style, and from a figure to an image inside the page."""

from __future__ import annotations

from base64 import b64encode
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes

INK, MUTED, LINE = "#1c2430", "#5a6675", "#dbe1e8"
FRAUD, GENUINE, ACCENT = "#c2410c", "#64748b", "#1d4ed8"

_STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": LINE,
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "date.converter": "concise",
    "font.sans-serif": ["Inter", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "DejaVu Sans"],
    "font.size": 10.0,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "svg.fonttype": "none",  # text stays text, in the reader's own font
    "svg.hashsalt": "chargewatch",  # the same figures make the same page
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}

WHOLE = 10.4
"""Width of a plot that is as wide as the page, inches."""

PERCENT = FuncFormatter(lambda share, _: f"{100.0 * share:.6g}%")
COUNT = FuncFormatter(lambda count, _: f"{count:,.0f}")


class Drawing:
    """A figure in the making: its axes, and afterwards its image.

    Attributes
    ----------
    axes
        The panels, from the top.
    image
        The drawn figure as a data URI, empty before.
    """

    def __init__(self, axes: list[Axes]) -> None:
        self.axes = axes
        self.image = ""


@contextmanager
def drawing(width: float, *heights: float) -> Iterator[Drawing]:
    """Draw panels of one width above each other, with one axis of x; sizes are in inches."""
    with rc_context(_STYLE):
        figure = Figure((width, sum(heights)), layout="constrained")
        panels = figure.subplots(
            len(heights), sharex=True, squeeze=False, height_ratios=list(heights)
        )
        draft = Drawing(list(panels[:, 0]))
        yield draft
        out = BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    draft.image = f"data:image/svg+xml;base64,{b64encode(out.getvalue()).decode()}"
