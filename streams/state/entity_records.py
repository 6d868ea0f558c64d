"""The records of one kind of entity, as a stage keeps them: the hot ones in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from streams.state.record_cache import RecordCache

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streams.events.batch import Batch
    from streams.events.rows import Rows
    from streams.features.entities import Entity
    from streams.state.record_cache import Lookups, Slots
    from streams.state.tables import TaskState


class EntityRecords:
    """Counts charges in the records of their entities.

    Parameters
    ----------
    state
        Tables of the task.
    entity
        The kind.
    capacity
        Records held in memory at most, and distinct entities in a batch.
    """

    def __init__(self, state: TaskState, entity: Entity, capacity: int) -> None:
        self._entity = entity
        self._cache = RecordCache(
            state.entities[entity.name], state.reader(entity.record), capacity
        )

    @property
    def rows(self) -> Rows:
        """The records in memory, which hold until `slots` is called again."""
        return self._cache.records

    def slots(self, batch: Batch) -> Slots:
        """Return i8[N], where in `rows` the record of each event is."""
        return self._cache.slots(self._entity.keys(batch))

    def count(
        self, slots: Slots, events: Rows, *besides: object
    ) -> tuple[NDArray[np.float32], Any]:
        """Count EVENT[N] in their records.

        Returns
        -------
        tuple
            The features of the events, f4[N, features of the entity], and what the kernel returns.
        """
        features = np.zeros((len(events), len(self._entity.features)), np.float32)
        result = self._entity.kernel(self._cache.records, slots, events, features, *besides)
        return features, result

    def take_lookups(self) -> Lookups:
        """See `RecordCache.take_lookups`."""
        return self._cache.take_lookups()

    def flush(self) -> None:
        """Put every changed record into its table."""
        self._cache.flush()

    def reload(self) -> None:
        """Forget everything changed since the last commit."""
        self._cache.clear()
