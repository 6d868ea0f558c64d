"""The entity stage: what devices, addresses and e-mails are told becomes parts of vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streams.events.batch import RowBatch
from streams.events.rows import CHARGE
from streams.features.entities import SHARED
from streams.state.entity_records import EntityRecords
from streams.wire.entity_events import PART_LAYOUT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streams.events.rows import Rows
    from streams.state.record_cache import Lookups
    from streams.state.tables import TaskState


class Answers(NamedTuple):
    """PART[M] of the charges among entity events, and i8[M], the event of each."""

    parts: Rows
    places: NDArray[np.intp]


class EntityStage:
    """Updates the shared entities of one task.

    Parameters
    ----------
    state
        Tables of the task.
    capacity
        Records held in memory at most, and distinct entities in a batch.
    """

    def __init__(self, state: TaskState, capacity: int) -> None:
        self._records = EntityRecords(state, SHARED, capacity)

    def process(self, events: Rows) -> Answers:
        """Count ENTITY_EVENT[N] in their order, and answer the charges among them."""
        slots = self._records.slots(RowBatch(events))
        features, _ = self._records.count(slots, events)
        charges = np.flatnonzero(events["kind"] == CHARGE)
        parts = PART_LAYOUT.new(len(charges))
        for name in ("entity", "key", "charge", "offset"):
            parts[name] = events[name][charges]
        parts["created_s"] = events["created"][charges]
        parts["features"] = features[charges]
        return Answers(parts, charges)

    def take_lookups(self) -> Lookups:
        """See `RecordCache.take_lookups`."""
        return self._records.take_lookups()

    def flush(self) -> None:
        """Put every changed record into its table."""
        self._records.flush()

    def reload(self) -> None:
        """Forget everything changed since the last commit."""
        self._records.reload()
