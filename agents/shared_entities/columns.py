"""Where the features of shared entities stand in a vector: kind behind kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streams.features.entities import entity_code, shared_kinds
from streams.features.shared import SHARED_FEATURES
from streams.wire.entity_events import ENTITY_EVENT_LAYOUT, PART_LAYOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streams.events.rows import Rows


class SharedColumns(NamedTuple):
    """What N charges have of shared entities: u8[N, kinds] keys, f4[N, columns] features."""

    keys: NDArray[np.uint64]
    features: NDArray[np.float32]


class Columns:
    """Columns of the features and keys of shared entities, one kind behind the other.

    Parameters
    ----------
    entities
        The kinds that charges have, as for `streams.features.entities.shared_kinds`.
    """

    def __init__(self, entities: Sequence[str]) -> None:
        self._kinds = shared_kinds(entities)
        self._place_of = {entity_code(kind): place for place, kind in enumerate(self._kinds)}

    def none(self, count: int) -> SharedColumns:
        """Return the columns of N charges that share nothing."""
        return self.filled(count, PART_LAYOUT.new(0), np.empty(0, np.intp))

    def events(
        self,
        keys: NDArray[np.uint64],
        charges: NDArray[np.uint64],
        kinds: NDArray[np.uint8],
        times: NDArray[np.float64],
    ) -> Rows:
        """Return ENTITY_EVENT[M] that tell each entity of charges what became of them.

        Parameters
        ----------
        keys
            u8[N, kinds], the entities of each charge, 0 for none.
        charges
            u8[N, 2], their hashes.
        kinds
            u1[N], what became of each, as a kind of event.
        times
            f8[N], at which stream times, Unix seconds.
        """
        charge, column = np.nonzero(keys)
        rows = ENTITY_EVENT_LAYOUT.new(len(charge))
        rows["entity"] = np.array(list(self._place_of), np.uint32)[column]
        rows["key"] = keys[charge, column]
        rows["charge"] = charges[charge]
        rows["kind"] = kinds[charge]
        rows["created"] = times[charge]
        return rows

    def filled(self, count: int, parts: Rows, places: NDArray[np.intp]) -> SharedColumns:
        """Return the columns of N charges with PART[M] put in, i8[M] the charge of each.

        Parts of kinds that this worker is not set to know are left out.
        """
        width = len(SHARED_FEATURES)
        keys = np.zeros((count, len(self._kinds)), np.uint64)
        features = np.zeros((count, len(self._kinds), width), np.float32)
        if len(parts):
            for code, kind in self._place_of.items():
                of_kind = np.flatnonzero(parts["entity"] == code)
                keys[places[of_kind], kind] = parts["key"][of_kind]
                features[places[of_kind], kind] = parts["features"][of_kind]
        return SharedColumns(keys, features.reshape(count, len(self._kinds) * width))
