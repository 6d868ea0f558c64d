"""What is kept of a charge that two policies have decided: what the figures ask for, no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streams.events.rows import Rows

BY_NO_RULE: Final = -1
BY_ANOTHER: Final = -2
"""In place of a rule: the model decided; a rule that is in force beside those on trial did."""

TRIED = np.dtype(
    [
        ("created", "f8"),
        ("amount", "f8"),
        ("charge", "u8", (2,)),
        ("card", "u8"),
        ("merchant", "u8"),
        ("before", "u1"),
        ("after", "u1"),
        ("decided_by", "i2"),
        ("method", "u1"),
    ]
)
"""A charge: its amount in the reference currency, the actions under both policies, and which of the
rules on trial decides it under the second; and its row in the table of methods. 53 bytes."""


class Bits:
    """Many booleans a charge, a bit each.

    Parameters
    ----------
    rows
        bool[K, N], K of them of N charges.
    """

    def __init__(self, rows: NDArray[np.bool_]) -> None:
        self._size = len(rows)
        self._bytes = np.packbits(rows, axis=0)

    def __len__(self) -> int:
        return self._size

    def row(self, number: int) -> NDArray[np.bool_]:
        """Return one of them of all charges, bool[N]."""
        mask = np.uint8(1 << (7 - (number & 7)))
        row: NDArray[np.bool_] = (self._bytes[number >> 3] & mask) != 0
        return row

    def block(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Return all of them of some charges, bool[K, stop - start]."""
        part = np.unpackbits(self._bytes[:, start:stop], axis=0, count=self._size)
        return part.astype(np.bool_)

    @classmethod
    def joined(cls, parts: Sequence[Bits], size: int) -> Bits:
        """Return those of several batches as one; `size` is how many a charge has."""
        whole = cls(np.zeros((size, 0), np.bool_))
        whole._bytes = np.concatenate([whole._bytes, *(part._bytes for part in parts)], axis=1)
        return whole


@dataclass(frozen=True, slots=True)
class Tried:
    """Charges that both policies have decided, in the order of their time.

    Attributes
    ----------
    charges
        TRIED[N].
    labels
        u1[N], see `agents.evaluation.trial.labels`.
    matched
        Which of the rules on trial are true of which.
    rests
        Of which of them the rest of each threshold is true.
    values
        f8[attributes, N], what is compared with thresholds, NaN where it is missing.
    elsewhere
        How many charges of other merchants get another action, as reviews are shared with them.
    newest
        Time of the newest event of the history, minus infinity of none.
    """

    charges: Rows
    labels: NDArray[np.uint8]
    matched: Bits
    rests: Bits
    values: NDArray[np.float64]
    elsewhere: int
    newest: float

    def __len__(self) -> int:
        return len(self.charges)
