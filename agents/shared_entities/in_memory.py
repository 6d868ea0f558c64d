"""Shared entities where they answer at once: no charge waits for them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from agents.shared_entities.columns import Columns, SharedColumns
from agents.shared_entities.scattering import Scatter, Scattered
from streams.durations import HOUR_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agents.shared_entities.entity_stage import EntityStage
    from streams.events.batch import Batch, Times


class SharedInMemory:
    """Runs an entity stage beside a merchant stage.

    Parameters
    ----------
    stage
        The entity stage.
    entities
        Kinds of shared entities that charges have.
    """

    def __init__(self, stage: EntityStage, entities: Sequence[str]) -> None:
        self._stage = stage
        self._scatter, self._columns = Scatter(entities), Columns(entities)

    def by_hour(self, frames: Batch, times: Times) -> Iterator[tuple[Batch, SharedColumns | None]]:
        """Give frames, and what they have of shared entities, as they are to be scored.

        What these are told of an hour's actions and labels counts from the next hour on, and has to
        be told before the next part is asked for. Frames that share nothing come at once.

        Parameters
        ----------
        frames
            N of them.
        times
            f8[N], stream time at each, Unix seconds.
        """
        scattered = self._scatter(frames, times)
        if not len(scattered.events):
            yield frames, None
            return
        cuts = np.flatnonzero(np.diff(times // HOUR_S)) + 1
        for start, stop in pairwise([0, *cuts.tolist(), len(frames)]):
            yield frames.part(start, stop), self._shared(scattered, start, stop)

    def _shared(self, scattered: Scattered, start: int, stop: int) -> SharedColumns:
        first, last = np.searchsorted(scattered.places, (start, stop))
        answers = self._stage.process(scattered.events[first:last])
        places = scattered.places[first:last][answers.places] - start
        return self._columns.filled(stop - start, answers.parts, places)
