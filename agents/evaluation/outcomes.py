"""What an evaluation looks at: scored charges and how they turned out, in columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from streams.durations import DAY_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Segment:
    """A way to divide charges.

    Attributes
    ----------
    names
        Of the parts.
    part
        Index of the part each charge is in, shape (N,).
    """

    names: Sequence[str]
    part: NDArray[np.integer]


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
        Index into `agents.stages.decisions.ACTIONS`.
    fraud
        Whether the charge was disputed as fraudulent.
    segments
        Ways to divide the charges, such as ``"channel"``.
    """

    created: NDArray[np.float64]
    card: NDArray[np.int64]
    amount: NDArray[np.float64]
    score: NDArray[np.float64]
    action: NDArray[np.uint8]
    fraud: NDArray[np.bool_]
    segments: Mapping[str, Segment] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = ("created", "card", "amount", "score", "action", "fraud")
        lengths = [len(getattr(self, name)) for name in names]
        lengths += [len(segment.part) for segment in self.segments.values()]
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
