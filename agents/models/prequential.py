"""How well a model scores: each example is scored before it is learned (prequentially).

Examples count as many charges as they stand for, and fade: what came 20,000 examples ago counts
1/e (Gama, Sebastiao and Rodrigues 2013, "On evaluating stream learning algorithms", section 4).
Ranks are counted in a histogram of calibrated log-odds, in which the charges of one cell are ties;
so everything is a few hundred numbers, and goes into a snapshot exactly.

A fraud counts when it is disputed, a genuine charge when its silence has lasted for the label
horizon: the figures are of charges of two times, as frequent as they come.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from agents.models.calibration import FIRST_KNOT, KNOT_STEP, KNOTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MEMORY_EXAMPLES = 20_000
"""Examples after which a count has faded to 1/e."""

BLOCK_EXAMPLES = 500
"""Examples from one fading, and from one curve of the calibration, to the next."""

FIRST_CELL, CELL_WIDTH, CELLS = -12.0, 0.1, 180
"""Cells of log-odds from -12 to 6; what lies outside counts in the first or last."""

_FADE = math.exp(-BLOCK_EXAMPLES / MEMORY_EXAMPLES)


class Figures(NamedTuple):
    """How well a model has scored of late.

    Attributes
    ----------
    charges, frauds
        How many charges the figures are of, faded.
    auc_roc, average_precision
        Of the order; NaN without both frauds and others.
    log_loss, brier
        Of the probabilities; NaN without charges.
    """

    charges: float
    frauds: float
    auc_roc: float
    average_precision: float
    log_loss: float
    brier: float


class ScoreCounts(NamedTuple):
    """How many charges were given which score, faded; f8[CELLS] each.

    Attributes
    ----------
    score
        Calibrated probability at the middle of each cell.
    charges, frauds
        How many charges were given it, and how many of them are frauds.
    """

    score: NDArray[np.float64]
    charges: NDArray[np.float64]
    frauds: NDArray[np.float64]


class Prequential:
    """Counts the scores that examples had before they were learned."""

    def __init__(self) -> None:
        self._charges = np.zeros(CELLS)
        self._frauds = np.zeros(CELLS)
        self._log_loss = self._brier = 0.0
        self._in_block = 0
        self._curve = [0.0] * KNOTS

    def observe(
        self,
        log_odds: float,
        fraud: bool,
        stands_for: float,
        curve: Callable[[], NDArray[np.float64]],
    ) -> None:
        """Count an example.

        Parameters
        ----------
        log_odds
            What the model gave it, before calibration.
        fraud
            Its label.
        stands_for
            How many charges it stands for.
        curve
            Gives the calibration as it is now; see `agents.models.calibration.Calibration.curve`.
        """
        if self._in_block == 0:
            self._begin_block(curve())
        self._in_block = (self._in_block + 1) % BLOCK_EXAMPLES
        calibrated = _interpolated(log_odds, self._curve)
        cell = min(max(math.floor((calibrated - FIRST_CELL) / CELL_WIDTH), 0), CELLS - 1)
        self._charges[cell] += stands_for
        away = calibrated if not fraud else -calibrated  # log-odds of the other class
        missed = 1.0 / (1.0 + math.exp(-away)) if away > -700.0 else 0.0
        self._log_loss += stands_for * (max(away, 0.0) + math.log1p(math.exp(-abs(away))))
        self._brier += stands_for * missed * missed
        if fraud:
            self._frauds[cell] += stands_for

    def figures(self) -> Figures:
        """Return the figures of what was counted."""
        charges, frauds = float(self._charges.sum()), float(self._frauds.sum())
        auc_roc, average_precision = _ranking(self._charges - self._frauds, self._frauds)
        return Figures(
            charges,
            frauds,
            auc_roc,
            average_precision,
            self._log_loss / charges if charges > 0.0 else math.nan,
            self._brier / charges if charges > 0.0 else math.nan,
        )

    def counts(self) -> ScoreCounts:
        """Return what was counted by the height of the score."""
        log_odds = FIRST_CELL + CELL_WIDTH * (np.arange(CELLS) + 0.5)
        return ScoreCounts(1.0 / (1.0 + np.exp(-log_odds)), self._charges, self._frauds)

    def state(self) -> dict[str, Any]:
        """Return all of it as plain numbers."""
        return {
            "charges": _sparse(self._charges),
            "frauds": _sparse(self._frauds),
            "log_loss": self._log_loss,
            "brier": self._brier,
            "in_block": self._in_block,
            "curve": self._curve,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return that whose `state` this is."""
        prequential = cls()
        for cells, counts in (
            (prequential._charges, state["charges"]),
            (prequential._frauds, state["frauds"]),
        ):
            for cell, count in counts.items():
                cells[int(cell)] = count
        prequential._log_loss, prequential._brier = state["log_loss"], state["brier"]
        prequential._in_block = state["in_block"]
        prequential._curve = state["curve"]
        return prequential

    def _begin_block(self, curve: NDArray[np.float64]) -> None:
        self._charges *= _FADE
        self._frauds *= _FADE
        self._log_loss *= _FADE
        self._brier *= _FADE
        self._curve = curve.tolist()


def _ranking(others: NDArray[np.float64], frauds: NDArray[np.float64]) -> tuple[float, float]:
    """Return AUC ROC and average precision of counts in cells of rising scores."""
    all_frauds, all_others = float(frauds.sum()), float(others.sum())
    if all_frauds <= 0.0 or all_others <= 0.0:
        return math.nan, math.nan
    below = np.cumsum(others) - others
    auc_roc = float((frauds * (below + others / 2.0)).sum()) / (all_frauds * all_others)
    frauds_above = np.cumsum(frauds[::-1])
    above = frauds_above + np.cumsum(others[::-1])
    precision = np.divide(frauds_above, above, out=np.zeros(CELLS), where=above > 0.0)
    average_precision = float((precision * frauds[::-1]).sum()) / all_frauds
    return auc_roc, average_precision


def _interpolated(log_odds: float, curve: list[float]) -> float:
    """Return the height of the curve; it goes on with slope 1 outside."""
    place = (log_odds - FIRST_KNOT) / KNOT_STEP
    last = KNOTS - 1
    if place <= 0.0:
        return curve[0] + place * KNOT_STEP
    if place >= last:
        return curve[last] + (place - last) * KNOT_STEP
    knot = int(place)
    share = place - knot
    return curve[knot] * (1.0 - share) + curve[knot + 1] * share


def _sparse(counts: NDArray[np.float64]) -> dict[str, float]:
    """Return the counts that are not 0, by their cell."""
    cells = np.flatnonzero(counts).tolist()
    return dict(zip(map(str, cells), counts[cells].tolist(), strict=True))
