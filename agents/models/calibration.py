"""From a model's log-odds to a calibrated probability, learned online from recent examples.

A linear model is calibrated on average but not at each height of its score: the log-odds of fraud
are not linear in anything. So a monotone curve from log-odds to log-odds is laid over it: the
isotonic regression (Zadrozny and Elkan 2002, "Transforming classifier scores into accurate
multiclass probability estimates", section 3.2; pool adjacent violators after Ayer et al. 1955) of
recent labels, counted at equidistant knots of the log-odds. Each example is scored before it is
learned (prequentially, Dawid 1984), so the curve is fitted on scores of charges not yet learned.

Frauds are known sooner than their neighbours are known to be honest: a dispute takes days, silence
takes the whole label horizon (verification latency). Counted as they come, the first weeks would
show hardly anything but fraud. So both classes are counted over the same charges, by tiles of the
time at which the charges were made: a fraud waits until the honest charges of its tile are
complete, then the tile enters the counts as a whole.

     frauds of tile    7 8 9 10 ... 126     wait, known within days
     honest of tile  6                      being counted: silence has just passed the horizon
     counted        ..5                     both classes, faded by the honest examples since
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from agents.models.kernels import interpolate
from agents.models.prior import BASE_RATE
from agents.models.risk import USUAL, Reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIRST_KNOT, KNOT_STEP, KNOTS = -12.0, 0.5, 37
"""Log-odds of the knots, -12 to 6; measured: quarter units gain nothing, whole ones lose detail."""

MEMORY_EXAMPLES = 20_000
"""Honest examples after which a count has faded to 1/e; longer lags behind, shorter is noisy."""

MEMORY_SHARE = 1 / 3
"""The memory is at most this share of all honest examples so far: a young model changes quickly."""

TILE_S = 6 * 3600.0
"""Length of a tile in event time. The horizon's worth of tiles is what a snapshot has to hold."""

PRIOR_CHARGES = 10.0
"""Charges that speak for the model's own probability at each knot, before any were counted."""

PRIOR_CHARGES_OF_RATE = 1000.0
"""Charges that speak for the usual rate and scores, before any were counted."""

TILT = 1e-6
"""Least slope of the curve: charges that isotonic regression pools keep the model's order."""

_KNOTS = FIRST_KNOT + KNOT_STEP * np.arange(KNOTS)


class Calibration:
    """Faded counts of charges and frauds at each knot, the tile at hand, and the frauds ahead."""

    def __init__(self) -> None:
        self._charges = np.zeros(KNOTS)
        self._frauds = np.zeros(KNOTS)
        self._honest_examples = 0
        self._tile = -1
        self._tile_examples = 0
        self._tile_honest = np.zeros(KNOTS)
        self._waiting: dict[int, NDArray[np.float64]] = {}

    def observe(self, log_odds: float, fraud: bool, weight: float, created: float) -> None:
        """Count one example at the log-odds that the model gave it before learning it.

        `created` is when its charge was made, Unix seconds; honest examples come in that order.
        """
        tile = int(created // TILE_S)
        if not fraud:
            if tile > self._tile:
                self._complete_tiles_before(tile)
            self._tile_examples += 1
            _add(self._tile_honest, log_odds, weight)
        elif tile >= self._tile:
            _add(self._waiting.setdefault(tile, np.zeros(KNOTS)), log_odds, weight)
        else:
            _add(self._charges, log_odds, weight)
            _add(self._frauds, log_odds, weight)

    def curve(self, learned_rate: float | None = None) -> NDArray[np.float64]:
        """Return the height of the curve at each knot, in log-odds, strictly rising.

        Parameters
        ----------
        learned_rate
            Share of fraud among what the model has learned from. Where nothing is counted, its
            log-odds are moved by what the true rate differs from it (prior correction: King and
            Zeng 2001, "Logistic regression in rare events data", section 4.1). By default they
            are taken as they are.
        """
        offset = 0.0
        if learned_rate is not None:
            offset = _logit(self._rate()) - _logit(learned_rate)
        frauds = self._frauds + PRIOR_CHARGES / (1.0 + np.exp(-_KNOTS - offset))
        charges = self._charges + PRIOR_CHARGES
        share = isotonic(frauds / charges, charges)
        return np.asarray(np.log(share / (1.0 - share)) + TILT * _KNOTS)

    def reference(self, curve: NDArray[np.float64]) -> Reference:
        """Return the distribution of the scores that `curve` gives to the charges counted."""
        usual = USUAL.share_up_to(curve) * PRIOR_CHARGES_OF_RATE
        below = np.cumsum(self._charges) - 0.5 * self._charges
        shares = (below + usual) / (self._charges.sum() + PRIOR_CHARGES_OF_RATE)
        return Reference(curve, shares)

    def state(self) -> dict[str, Any]:
        """Return all of it as plain numbers."""
        return {
            "charges": self._charges.tolist(),
            "frauds": self._frauds.tolist(),
            "honest_examples": self._honest_examples,
            "tile": self._tile,
            "tile_examples": self._tile_examples,
            "tile_honest": self._tile_honest.tolist(),
            "waiting": {str(tile): counts.tolist() for tile, counts in self._waiting.items()},
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the calibration whose `state` this is."""
        calibration = cls()
        calibration._charges = np.array(state["charges"], np.float64)
        calibration._frauds = np.array(state["frauds"], np.float64)
        calibration._honest_examples = state["honest_examples"]
        calibration._tile = state["tile"]
        calibration._tile_examples = state["tile_examples"]
        calibration._tile_honest = np.array(state["tile_honest"], np.float64)
        calibration._waiting = {
            int(tile): np.array(counts, np.float64) for tile, counts in state["waiting"].items()
        }
        return calibration

    def _rate(self) -> float:
        """Return the share of fraud, drawn to the usual one while little is counted."""
        frauds = float(self._frauds.sum()) + BASE_RATE * PRIOR_CHARGES_OF_RATE
        return frauds / (float(self._charges.sum()) + PRIOR_CHARGES_OF_RATE)

    def _complete_tiles_before(self, tile: int) -> None:
        """Let the tile at hand, and any skipped, enter the counts; begin `tile`."""
        self._honest_examples += self._tile_examples
        memory = min(MEMORY_EXAMPLES, max(1.0, MEMORY_SHARE * self._honest_examples))
        fade = math.exp(-self._tile_examples / memory)
        due = [self._waiting.pop(t) for t in sorted(self._waiting) if t < tile]
        frauds = np.sum(due, axis=0) if due else np.zeros(KNOTS)
        self._charges = self._charges * fade + self._tile_honest + frauds
        self._frauds = self._frauds * fade + frauds
        self._tile = tile
        self._tile_examples = 0
        self._tile_honest = np.zeros(KNOTS)


def calibrated(log_odds: NDArray[np.float64], curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log-odds on the curve, shape (N,)."""
    out: NDArray[np.float64] = interpolate(log_odds, FIRST_KNOT, KNOT_STEP, curve)
    return out


def isotonic(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rising sequence nearest to `values` in weighted least squares.

    >>> isotonic(np.array([1.0, 3.0, 2.0, 4.0]), np.ones(4)).tolist()
    [1.0, 2.5, 2.5, 4.0]
    """
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        mean, mass, size = value, weight, 1
        while pools and pools[-1][0] >= mean:
            other_mean, other_mass, other_size = pools.pop()
            mean = (mean * mass + other_mean * other_mass) / (mass + other_mass)
            mass += other_mass
            size += other_size
        pools.append((mean, mass, size))
    return np.repeat([mean for mean, _, _ in pools], [size for _, _, size in pools])


def _logit(share: float) -> float:
    return math.log(share / (1.0 - share))


def _add(counts: NDArray[np.float64], log_odds: float, weight: float) -> None:
    """Share `weight` between the two knots around `log_odds`, the nearer one taking more."""
    place = min(max((log_odds - FIRST_KNOT) / KNOT_STEP, 0.0), KNOTS - 1.0)
    knot = min(math.floor(place), KNOTS - 2)
    counts[knot] += weight * (knot + 1 - place)
    counts[knot + 1] += weight * (place - knot)
