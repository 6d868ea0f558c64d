"""What an evaluation looks at: scored charges and how they turned out, in columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Scored charges with their labels; every array has one entry a charge, shape (N,).

    Attributes
    ----------
    created
        Unix seconds.
    card
        Any number that stands for the card.
    amount
        In units of the reference currency.
    score
        Probability of fraud as scored.
    action
        Index into `agents.decisions.ACTIONS`.
    fraud
        Whether the charge was disputed as fraudulent.
    segments
        For each way to divide the charges, such as ``"channel"``, the part each charge is in.
    """

    created: NDArray[np.float64]
    card: NDArray[np.int64]
    amount: NDArray[np.float64]
    score: NDArray[np.float64]
    action: NDArray[np.uint8]
    fraud: NDArray[np.bool_]
    segments: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = ("created", "card", "amount", "score", "action", "fraud")
        lengths = [len(getattr(self, name)) for name in names]
        lengths += [len(parts) for parts in self.segments.values()]
        assert len(set(lengths)) == 1, f"columns of different lengths: {lengths}"

    def __len__(self) -> int:
        return len(self.fraud)

    @property
    def day(self) -> NDArray[np.int64]:
        """Days since 1970-01-01 UTC, shape (N,)."""
        return np.floor(self.created / DAY_S).astype(np.int64)

    def only(self, rows: NDArray[np.bool_]) -> Outcomes:
        """Return the charges where `rows` is true, without their segments."""
        return Outcomes(
            self.created[rows],
            self.card[rows],
            self.amount[rows],
            self.score[rows],
            self.action[rows],
            self.fraud[rows],
        )


def amount_band(amount: NDArray[np.float64]) -> NDArray[np.str_]:
    """Return the band of each amount, for a segment.

    >>> amount_band(np.array([9.99, 10.0, 5000.0])).tolist()
    ['below 10', '10 to 50', '1000 and above']
    """
    limits = np.array([10.0, 50.0, 100.0, 250.0, 1000.0])
    names = ["below 10", "10 to 50", "50 to 100", "100 to 250", "250 to 1000", "1000 and above"]
    return np.array(names)[np.searchsorted(limits, amount, side="right")]
