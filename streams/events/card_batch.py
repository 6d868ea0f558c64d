"""A batch of inputs of one task: rows of numbers, and the texts that go with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from streams.events.rows import Rows


@dataclass(slots=True)
class CardBatch:
    """Events of one task in the order they are to count: EVENT[N] and N keys and tails each."""

    rows: Rows
    cards: list[bytes]
    merchants: list[bytes]
    tails: list[bytes]

    def __len__(self) -> int:
        return len(self.rows)

    def followed_by(self, other: Self) -> Self:
        """Return the events of this batch, and then those of another."""
        return type(self)(
            np.concatenate([self.rows, other.rows]),
            self.cards + other.cards,
            self.merchants + other.merchants,
            self.tails + other.tails,
        )

    def at(self, places: npt.NDArray[np.intp]) -> Self:
        """Return the events at i8[M] places, in their order."""
        chosen = places.tolist()
        columns = (self.cards, self.merchants, self.tails)
        return type(self)(self.rows[places], *([column[i] for i in chosen] for column in columns))
