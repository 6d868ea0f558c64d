"""Batches: events as columns, one after the other as they are to count."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from streams.events.rows import EVENT
from streams.layouts.raw_rows import joined, rows_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.events.rows import Rows

Times = npt.NDArray[np.float64]


@dataclass(slots=True)
class Batch:
    """N events as columns.

    Attributes
    ----------
    rows
        Numbers: EVENT[N], FRAME[N] behind the card stage.
    cards, merchants
        N keys each, UTF-8.
    tails
        N byte strings that travel with the events: of a charge the first half of its scored event,
        of a dispute or outcome what a rejected copy needs.
    """

    rows: Rows = field(default_factory=lambda: np.empty(0, EVENT))
    cards: list[bytes] = field(default_factory=list)
    merchants: list[bytes] = field(default_factory=list)
    tails: list[bytes] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, start: int, stop: int) -> Self:
        """Return the events from `start` up to `stop`."""
        cards, merchants, tails = self.cards, self.merchants, self.tails
        return type(self)(
            self.rows[start:stop], cards[start:stop], merchants[start:stop], tails[start:stop]
        )

    def at(self, places: npt.NDArray[np.intp]) -> Self:
        """Return the events at i8[M] places, in their order."""
        chosen = places.tolist()
        cards, merchants, tails = self.cards, self.merchants, self.tails
        return type(self)(
            rows_at(self.rows, places),
            [cards[i] for i in chosen],
            [merchants[i] for i in chosen],
            [tails[i] for i in chosen],
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Join batches one after the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            joined([part.rows for part in parts]),
            [card for part in parts for card in part.cards],
            [merchant for part in parts for merchant in part.merchants],
            [tail for part in parts for tail in part.tails],
        )


@dataclass(slots=True)
class RowBatch(Batch):
    """N events that are rows alone."""

    def at(self, places: npt.NDArray[np.intp]) -> Self:
        """Return the events at i8[M] places, in their order."""
        return type(self)(rows_at(self.rows, places))


@dataclass(slots=True)
class TimedBatch:
    """N events, and when the turn of each comes.

    Attributes
    ----------
    times
        f8[N], Unix seconds, never decreasing: the newest event time in the event's partition up to
        it. So a late event does not wait, and none overtakes.
    batch
        The events.
    """

    times: Times = field(default_factory=lambda: np.empty(0))
    batch: Batch = field(default_factory=Batch)

    def __len__(self) -> int:
        return len(self.times)

    def part(self, start: int, stop: int) -> Self:
        """Return the events from `start` up to `stop`."""
        return type(self)(self.times[start:stop], self.batch.part(start, stop))

    @classmethod
    def merged(cls, parts: Sequence[Self]) -> Self:
        """Merge by time; among equals, and so within a partition, the given order stays."""
        if len(parts) == 1:
            return parts[0]
        times = np.concatenate([part.times for part in parts])
        order = np.argsort(times, kind="stable")
        batches = [part.batch for part in parts]
        return cls(times[order], type(batches[0]).joined(batches).at(order))
