"""A batch: events as columns, in the order in which their turn comes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from streams.events.rows import Rows

Times = npt.NDArray[np.float64]


@dataclass(slots=True)
class Events:
    """Columns of N events: rows of one dtype, and lists of what is no number.

    Attributes
    ----------
    times
        f8[N], when each event's turn comes, Unix seconds, never decreasing: the newest event
        time in its partition up to it. So a late event does not wait, and none overtakes.
    rows
        Structured array of N rows.
    lists
        Lists of N items each.
    """

    times: Times
    rows: Rows
    lists: tuple[list[bytes], ...]

    def __len__(self) -> int:
        return len(self.times)

    def part(self, start: int, stop: int) -> Self:
        """Return the events from `start` up to `stop`."""
        lists = tuple(items[start:stop] for items in self.lists)
        return type(self)(self.times[start:stop], self.rows[start:stop], lists)

    @classmethod
    def merged(cls, parts: Sequence[Self]) -> Self:
        """Merge by time; among equals, and so within a partition, the given order stays."""
        if len(parts) == 1:
            return parts[0]
        times = np.concatenate([part.times for part in parts])
        order = np.argsort(times, kind="stable")
        positions = order.tolist()
        columns = zip(*(part.lists for part in parts), strict=True)
        chained = ([item for items in column for item in items] for column in columns)
        return cls(
            times[order],
            np.concatenate([part.rows for part in parts])[order],
            tuple([items[i] for i in positions] for items in chained),
        )
