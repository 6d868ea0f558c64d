"""What was fetched waits here until its turn in event time comes, across partitions.

While a worker catches up, its partitions are read at different paces; taken as they come, the
windows would see yesterday's charges of one card after tomorrow's of another. So a partition that
is behind (the broker holds more of it) sets the pace: nothing newer than its newest fetched event
is taken before more of it has come. In normal operation nothing is behind and nothing waits::

    charges[0]  10:01 10:04 10:09            at its end
    charges[1]  10:02 10:03  ...             behind: the broker holds more
    disputes[0] 10:00                        at its end
                      ^ taken up to here: 10:00 10:01 10:02 10:03
"""

from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streams.events.batch import Batch, TimedBatch, Times
from streams.events.rejected import Rejected


class _Chunk(NamedTuple):
    """What came together: N events, i8[N] offsets, and f8[N] when the broker had them."""

    events: TimedBatch
    offsets: npt.NDArray[np.int64]
    logged: Times


class PartitionBuffer:
    """The fetched and not yet taken events of one partition.

    Parameters
    ----------
    position
        Offset of the first message to come.

    Attributes
    ----------
    fetched
        Offset after the newest message fetched.
    end
        Offset after the newest message that the broker is known to have.
    is_behind
        Whether it has to be waited for, as the broker holds more of it.
    is_paused
        Whether fetching is paused, as enough is waiting.
    held
        Fetched messages that cannot be read yet, as a schema is missing: they come next.
    """

    def __init__(self, position: int) -> None:
        self.fetched = position
        self.end = position
        self.is_behind = True
        self.is_paused = False
        self.held: list[Any] = []
        self._end_met = position
        self._chunks: deque[_Chunk] = deque()
        self._rejected: deque[tuple[int, Rejected]] = deque()
        self._newest = -np.inf
        self._newest_logged = 0.0

    def __len__(self) -> int:
        return sum(len(chunk.events) for chunk in self._chunks)

    @property
    def position(self) -> int:
        """Offset of the first message not taken yet, be it an event or rejected."""
        return min(self._next_event, self._rejected[0][0] if self._rejected else self.fetched)

    @property
    def _next_event(self) -> int:
        return int(self._chunks[0].offsets[0]) if self._chunks else self.fetched

    @property
    def lag(self) -> int:
        """Messages that the broker has and that were not taken yet."""
        return max(self.end - self.position, 0)

    @property
    def newest(self) -> float:
        """Newest event time fetched so far, Unix seconds."""
        return self._newest

    @property
    def logged_at(self) -> float:
        """When the broker had the first event that waits here, or the newest before, Unix seconds.

        0 before there was any.
        """
        return float(self._chunks[0].logged[0]) if self._chunks else self._newest_logged

    def add(
        self,
        created: Times,
        batch: Batch,
        offsets: npt.NDArray[np.int64],
        logged: Times,
        rejected: Iterable[tuple[int, Rejected]],
        fetched: int,
    ) -> None:
        """Add a fetched batch.

        Parameters
        ----------
        created
            f8[N] event times, Unix seconds; events of one message have the same.
        batch
            The N events.
        offsets
            i8[N] offsets of the events' messages.
        logged
            f8[N], when the broker had these, Unix seconds.
        rejected
            Offsets and copies of what was no event.
        fetched
            Offset after the last message of the batch.
        """
        assert fetched >= self.fetched
        assert len(created) == len(batch) == len(offsets) == len(logged)
        if len(created):
            times = np.maximum(np.maximum.accumulate(created), self._newest)
            self._newest = float(times[-1])
            self._chunks.append(_Chunk(TimedBatch(times, batch), offsets, logged))
            self._newest_logged = float(logged[-1])
        self._rejected.extend(rejected)
        self.fetched = fetched if self.held else max(fetched, self._end_met)

    def hold(self, messages: Iterable[Any]) -> None:
        """Keep fetched messages that cannot be read yet, behind those that are kept already."""
        self.held.extend(messages)

    def note_end(self, offset: int) -> None:
        """Note that nothing is left before an offset but what is held."""
        self._end_met = max(self._end_met, offset)
        if not self.held:
            self.fetched = max(self.fetched, self._end_met)

    def pass_by(self, offset: int) -> None:
        """Take what comes before an offset as taken; nothing may wait here."""
        assert not self._chunks
        self.fetched = max(self.fetched, offset)

    def release(self) -> list[Any]:
        """Return what is held, which is no more."""
        messages, self.held = self.held, []
        return messages

    def take(self, until: float) -> list[TimedBatch]:
        """Take the events whose turn has come at a time."""
        taken = []
        while self._chunks:
            events, offsets, logged = self._chunks[0]
            count = int(np.searchsorted(events.times, until, "right"))
            assert count in {0, len(events)} or offsets[count - 1] != offsets[count]
            if count:
                taken.append(events.part(0, count))
            if count < len(events):
                left = events.part(count, len(events))
                self._chunks[0] = _Chunk(left, offsets[count:], logged[count:])
                break
            self._chunks.popleft()
        return taken

    def take_rejected(self) -> list[Rejected]:
        """Take the rejected inputs before the first event that waits."""
        taken = []
        while self._rejected and self._rejected[0][0] < self._next_event:
            taken.append(self._rejected.popleft()[1])
        return taken

    def times(self) -> list[Times]:
        """Return when the turn of what waits comes."""
        return [chunk.events.times for chunk in self._chunks]


def turn(buffers: Iterable[PartitionBuffer], limit: int) -> float:
    """Tell up to which event time to take from buffers that are merged.

    Parameters
    ----------
    buffers
        The partitions that go together.
    limit
        Events to take at about the most; those of the same time stay together.

    Returns
    -------
    float
        Unix seconds; minus infinity when a partition that is behind has to be waited for.
    """
    buffers = list(buffers)
    known = (buffer.newest if len(buffer) else -np.inf for buffer in buffers if buffer.is_behind)
    until = min(known, default=np.inf)
    times = [times for buffer in buffers for times in buffer.times()]
    waiting = sum(len(part) for part in times)
    if waiting > limit:
        until = min(until, float(np.partition(np.concatenate(times), limit - 1)[limit - 1]))
    return until
