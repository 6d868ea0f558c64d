"""The monitor of one task: charges become blocks of a day, and blocks tell of a drift.

A block is a whole day of event time, so that no hour is compared with another, and more days where
they have few charges. All that is remembered is in a table, one record a block, the unfinished one
last; what the detectors say follows from the finished ones alone. So it makes no difference how the
events are cut into batches, or how often a task is loaded again::

    blocks      1  2  3  4  5  6  7  8  9        with `begins` where one has shifted:
    quantity a  -----------------------          its detector sees those from there on
    quantity b  --------->b  -----------
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agents.drift.daily_blocks import Watched, add_to_block, new_block
from agents.drift.detector import shifted_at
from agents.drift.quantities import DISPUTE_RATE, UNITS_TO_ONE, Quantity, Watch
from schemas.drift import Drift
from streams.durations import DAY_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streams.layouts.reader import Reader
    from streams.state.tables import Table


CHARGES_MIN = 500
"""A block with fewer goes on for another day."""

BLOCKS_MAX = 60
"""Finished blocks that are kept, and looked at."""

_ALL = (b"", b"\xff" * 5)


class Shift(NamedTuple):
    """A quantity has shifted.

    Attributes
    ----------
    quantity
        Which.
    at
        When it was found: the end of a block, Unix seconds of event time.
    since
        About since when: the beginning of a block, Unix seconds of event time.
    before, after
        Its mean until then and since, in the quantity's unit.
    """

    quantity: Quantity
    at: float
    since: float
    before: float
    after: float

    def event(self, task: int) -> Drift:
        """Return the drift event of a task."""
        name, unit = self.quantity.name, self.quantity.unit
        return Drift(name, task, self.at, self.since, self.before, self.after, unit)


class Finished(NamedTuple):
    """A block that is finished.

    Attributes
    ----------
    since, until
        Its first day, and the first day after it, Unix seconds of event time.
    quantities
        What is watched.
    means
        f8[quantities], of each in its unit; NaN where nothing is known.
    shifts
        What was found with it.
    """

    since: float
    until: float
    quantities: tuple[Quantity, ...]
    means: NDArray[np.float64]
    shifts: list[Shift]


class DriftMonitor:
    """Watches some quantities of one task.

    Parameters
    ----------
    table
        Where its blocks are.
    reader
        Reads them, in the `agents.drift.daily_blocks.block_layout` of `watch`.
    watch
        What is watched.
    """

    def __init__(self, table: Table, reader: Reader, watch: Watch) -> None:
        self._watch = watch
        self._table = table
        self._reader = reader
        self.reload()

    def reload(self) -> None:
        """Read the table again, after its changes were discarded."""
        blocks = list(self._reader.rows([value for _, value in self._table.scan(*_ALL)]))
        self._open: np.void | None = blocks.pop() if blocks else None
        self._blocks = blocks

    def flush(self) -> None:
        """Put the unfinished block into the table."""
        if self._open is not None:
            self._put(self._open)

    def add(self, watched: Watched) -> list[Finished]:
        """Count what a batch has brought; return the blocks that are finished by its time."""
        finished: list[Finished] = []
        for day, part in watched.by_day():
            if self._open is None:
                self._open = new_block(self._reader.record, day)
            elif day > self._open["last_day"] and self._open["counts"][DISPUTE_RATE] < CHARGES_MIN:
                self._open["last_day"] = day
            elif day > self._open["last_day"]:
                finished.append(self._finish(self._open))
                self._open = new_block(self._reader.record, day)
            add_to_block(self._watch, self._open, part)
        return finished

    def _finish(self, block: np.void) -> Finished:
        """Take a block to the others, and ask the detectors."""
        self._put(block)
        self._blocks.append(block)
        blocks = np.array(self._blocks, self._reader.record.dtype)
        with np.errstate(invalid="ignore"):  # 0 / 0 is not known
            means = blocks["sums"] / blocks["counts"] / UNITS_TO_ONE
        until = float((block["last_day"] + 1) * DAY_S)
        shifts = [
            shift
            for number, begins in enumerate(blocks["begins"].T)
            if (shift := self._shift(number, until, means[:, number], begins))
        ]
        if len(self._blocks) > BLOCKS_MAX:
            self._table.delete(_key(self._blocks.pop(0)))
        quantities = self._watch.quantities
        in_units = [q.in_unit(mean) for q, mean in zip(quantities, means[-1].tolist(), strict=True)]
        since = float(block["first_day"] * DAY_S)
        return Finished(since, until, quantities, np.array(in_units), shifts)

    def _shift(
        self, number: int, until: float, means: NDArray[np.float64], begins: NDArray[np.bool_]
    ) -> Shift | None:
        """Return the shift that the means of the blocks tell of, if any, and note it there."""
        known = ~np.isnan(means)
        known[: np.flatnonzero(begins)[-1] if begins.any() else 0] = False
        places = np.flatnonzero(known)
        values = means[places]
        split = shifted_at(values)
        if split is None:
            return None
        first = self._blocks[places[split]]
        first["begins"][number] = True
        self._put(first)
        quantity = self._watch.quantities[number]
        return Shift(
            quantity,
            at=until,
            since=float(first["first_day"] * DAY_S),
            before=quantity.in_unit(float(values[:split].mean())),
            after=quantity.in_unit(float(values[split:].mean())),
        )

    def _put(self, block: np.void) -> None:
        self._table.put(_key(block), block.tobytes())


def _key(block: np.void) -> bytes:
    return int(block["first_day"]).to_bytes(4, "big")
