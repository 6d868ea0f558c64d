"""Matured charges added up, by the action the model chose and by height of the score; replicas.

All that the estimates ask for are a few sums over the charges of a cell: of an action, and of a
band between two thresholds on the score. How far chance may have moved them is told by a bootstrap
that draws cards, since the charges of a card are no independent evidence: one that is stolen has
many frauds (Field and Welsh 2007, "Bootstrapping clustered data"). Each card gets a weight from a
Poisson distribution of mean 1 in each replica, so that cards can be taken one after the other
(Hanley and MacGibbon 2006, "Creating non-parametric bootstrap samples using Poisson frequencies";
Chamandy, Muralidharan, Najmi and Naidu 2012, "Estimating uncertainty for massive data streams").

Nearly all charges go through with a low score and are genuine. They count in the whole alone, where
chance moves nothing: they are added up by day, and none of them is kept.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from schemas.scored import ACTIONS, ALLOW, BY_MODEL
from streams.durations import DAY_S
from streams.wire.matured import FRAUD, GENUINE, MATURED_CHARGE, UNSEEN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streams.events.rows import Rows

    Sums = NDArray[np.float64]
    """f8[..., actions, bands, sums]; see `sums_of`."""

THRESHOLDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""On the score. Band 0 is below all of them, band i from `THRESHOLDS[i - 1]` on."""

BANDS = len(THRESHOLDS) + 1

CHARGES, COVERED, EXPECTED, FRAUDS, EXPECTED_OF_SEEN, SEEN, SEEN_SQUARES, LABELS = range(8)
"""Sums, in their order; with n how many charges one counts for, p its propensity, m its score, y
whether it is a fraud, and w = n / p the weight of one that is seen: n; n where p > 0; n m; w y;
w m; w; w squared; 1. The last five are of those that are seen."""

REPLICAS = 500

_CARDS_AT_A_TIME = 2000


class MaturedCharges:
    """Collects matured charges, in any order."""

    def __init__(self) -> None:
        self._kept: list[Rows] = []
        self._low: dict[int, NDArray[np.float64]] = {}

    def add(self, charges: Rows) -> None:
        """Take MATURED_CHARGE[N]; what a rule decided is no action of the model."""
        charges = charges[charges["decided_by"] == BY_MODEL]
        is_low = (charges["action"] == ALLOW) & (charges["score"] < THRESHOLDS[0])
        is_low &= charges["seen"] == GENUINE
        self._kept.append(charges[~is_low].copy())
        low = charges[is_low]
        days, places = np.unique(low["created"] // DAY_S, return_inverse=True)
        added = np.zeros((len(days), LABELS + 1))
        np.add.at(added, places, _terms(low))
        for day, sums in zip(days.astype(int).tolist(), added, strict=True):
            self._low[day] = self._low.get(day, 0.0) + sums

    def kept(self, first_day: int, end_day: int) -> tuple[Rows, NDArray[np.float64]]:
        """Return what came of the charges made on days since 1970, without the last.

        Returns
        -------
        tuple
            MATURED_CHARGE[N], and f8[sums] of those that went through with a low score, genuine.
        """
        rows = np.concatenate([np.empty(0, MATURED_CHARGE), *self._kept])
        self._kept = [rows]
        days = rows["created"] // DAY_S
        low = sum(
            (sums for day, sums in self._low.items() if first_day <= day < end_day),
            np.zeros(LABELS + 1),
        )
        return rows[(days >= first_day) & (days < end_day)], low

    @property
    def days(self) -> tuple[int, int]:
        """The first day since 1970 on which one was made, and the one after the last; 0 if none."""
        days = [*self._low, *(int(d) for r in self._kept for d in np.unique(r["created"] // DAY_S))]
        return (min(days), max(days) + 1) if days else (0, 0)


def sums_of(charges: Rows, low: NDArray[np.float64] | float = 0.0) -> Sums:
    """Return the sums of MATURED_CHARGE[N] by action and band, f8[actions, bands, sums].

    `low` is what `MaturedCharges.kept` gives beside them.
    """
    sums = np.zeros((len(ACTIONS) * BANDS, LABELS + 1))
    np.add.at(sums, _cells(charges), _terms(charges))
    sums[0] += low
    return sums.reshape(len(ACTIONS), BANDS, -1)


def replicas_of(
    charges: Rows, low: NDArray[np.float64] | float, seed: int = 0, replicas: int = REPLICAS
) -> Sums:
    """Return the sums of bootstrap replicas, f8[replicas, actions, bands, sums].

    The weights are drawn card by card in the order of their hashes: the same charges give the same.

    Parameters
    ----------
    charges, low
        As for `sums_of`.
    seed, replicas
        Of the random weights, and how many to draw of each card.
    """
    rng = np.random.default_rng(seed)
    sums = np.zeros((len(ACTIONS) * BANDS, LABELS + 1, replicas))
    charges = charges[np.argsort(charges["card"], kind="stable")]
    cells, terms = _cells(charges), _terms(charges)
    _, starts, cards = np.unique(charges["card"], return_index=True, return_inverse=True)
    cuts = [*starts[::_CARDS_AT_A_TIME].tolist(), len(charges)]
    for start, end in pairwise(cuts):
        place = cards[start:end] - cards[start]
        weights = rng.poisson(1.0, (int(place[-1]) + 1, replicas)).astype(np.float64)
        for cell in np.unique(cells[start:end]).tolist():
            rows = np.flatnonzero(cells[start:end] == cell)
            sums[cell] += terms[start:end][rows].T @ weights[place[rows]]
    sums[0] += np.reshape(low, (-1, 1))
    return np.moveaxis(sums, -1, 0).reshape(replicas, len(ACTIONS), BANDS, -1)


def _cells(charges: Rows) -> NDArray[np.intp]:
    bands = np.searchsorted(THRESHOLDS, charges["score"], side="right")
    cells: NDArray[np.intp] = charges["action"].astype(np.intp) * BANDS + bands
    return cells


def _terms(charges: Rows) -> NDArray[np.float64]:
    """Return what each charge adds to the sums, f8[N, sums]."""
    counts, score = charges["counts"].astype(np.float64), charges["score"]
    propensity = charges["propensity"].astype(np.float64)
    is_seen = charges["seen"] != UNSEEN
    weight = np.divide(counts, propensity, out=np.zeros(len(charges)), where=is_seen)
    return np.stack(
        (
            counts,
            np.where(propensity > 0.0, counts, 0.0),
            counts * score,
            np.where(charges["seen"] == FRAUD, weight, 0.0),
            weight * score,
            weight,
            weight**2,
            is_seen,
        ),
        axis=1,
    )
