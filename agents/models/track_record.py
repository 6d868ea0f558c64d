"""What a learner has seen so far, whatever it learns with: counts, calibration and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from agents.models.calibration import Calibration
from agents.models.prequential import Figures, Prequential, ScoreCounts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.models.risk import Reference
    from schemas.snapshot import Snapshot

WARM_UP_EXAMPLES = 1000
"""Learned before any is counted in the calibration: the first scores say nothing of later ones."""

READY_FRAUDS, READY_CONTROLS = 50, 1000
"""Frauds, and charges to compare them with, below which the prior scores better."""


class Experience:
    """Counts what is learned, and calibrates and judges the log-odds that it was given before.

    Attributes
    ----------
    examples, learned
        How many examples came, and how many of them told fraud from the rest.
    frauds
        How many were frauds.
    created
        The newest creation time, Unix seconds.
    """

    def __init__(self) -> None:
        self.examples = self.learned = self.frauds = 0
        self.created = 0.0
        self._weight = self._fraud_weight = 0.0
        self._calibration = Calibration()
        self._prequential = Prequential()

    def observe(
        self,
        log_odds: NDArray[np.float64],
        frauds: NDArray[np.bool_],
        weights: NDArray[np.float64],
        created: NDArray[np.float64],
        stands_for: NDArray[np.float64],
    ) -> None:
        """Count examples, with the log-odds that the model gave each before learning it."""
        learned = self.learned + np.cumsum(weights > 0.0) - (weights > 0.0)
        is_counted = (stands_for > 0.0) & (learned >= WARM_UP_EXAMPLES)
        columns = (is_counted, log_odds, frauds, stands_for, created, weights)
        # One after the other, so that nothing depends on how the examples come in batches.
        for counts, odds, fraud, charges, charged_at, weight in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            if counts:
                self._prequential.observe(odds, fraud, charges, self.curve)
                self._calibration.observe(odds, fraud, charges, charged_at)
            self._weight += weight
            self._fraud_weight += weight * fraud
        self.examples += len(frauds)
        self.learned += int(np.count_nonzero(weights))
        self.frauds += int(np.count_nonzero(frauds))
        self.created = max(self.created, float(created.max(initial=0.0)))

    def curve(self) -> NDArray[np.float64]:
        """Return the curve from the model's log-odds to calibrated ones; see `Calibration.curve`.

        Where nothing is counted, the share of fraud among what was learned is corrected to the
        true one.
        """
        share = self._fraud_weight / max(self._weight, 1.0)
        return self._calibration.curve(share if 0.0 < share < 1.0 else None)

    def reference(self, curve: NDArray[np.float64]) -> Reference:
        """Return how the scores that `curve` gives lie; see `Calibration.reference`."""
        return self._calibration.reference(curve)

    def state(self) -> dict[str, Any]:
        """Return all but `examples` and `created`, which a snapshot names, as plain numbers."""
        return {
            "learned": self.learned,
            "frauds": self.frauds,
            "weight": self._weight,
            "fraud_weight": self._fraud_weight,
            "calibration": self._calibration.state(),
            "prequential": self._prequential.state(),
        }

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot) -> Self:
        """Return the experience whose `state` is in `snapshot`."""
        state = snapshot.state["experience"]
        experience = cls()
        experience.examples, experience.created = snapshot.examples, snapshot.created
        experience.learned, experience.frauds = state["learned"], state["frauds"]
        experience._weight, experience._fraud_weight = state["weight"], state["fraud_weight"]
        experience._calibration = Calibration.from_state(state["calibration"])
        experience._prequential = Prequential.from_state(state["prequential"])
        return experience


def is_ready(snapshot: Snapshot) -> bool:
    """Return whether the learner has seen enough of both to score better than the prior."""
    state = snapshot.state["experience"]
    frauds, learned = int(state["frauds"]), int(state["learned"])
    return frauds >= READY_FRAUDS and learned - frauds >= READY_CONTROLS


def figures_of(snapshot: Snapshot) -> Figures:
    """Return how well a model has scored examples before it learned them."""
    return _prequential(snapshot).figures()


def score_counts_of(snapshot: Snapshot) -> ScoreCounts:
    """Return which scores a model has given to examples before it learned them."""
    return _prequential(snapshot).counts()


def _prequential(snapshot: Snapshot) -> Prequential:
    return Prequential.from_state(snapshot.state["experience"]["prequential"])
