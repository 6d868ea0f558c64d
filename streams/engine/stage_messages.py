"""What the stages send each other: frames, parts of vectors, and events of entities, decoded."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import cast

import numpy as np
import numpy.typing as npt
from confluent_kafka import Message

from streams.engine.buffers import PartitionBuffer
from streams.engine.task import BY_ENTITY
from streams.events.batch import Batch, RowBatch, Times
from streams.events.rows import CHARGE, Rows
from streams.layouts.layout import Layout, number_in
from streams.layouts.reader import Reader
from streams.wire.entity_events import ENTITY_EVENT_LAYOUT, PART_LAYOUT
from streams.wire.frames import FRAME_LAYOUT, decode_frames
from streams.wire.row_messages import decode_rows


class StageMessages:
    """Decodes messages into the buffers of their partitions.

    Parameters
    ----------
    layouts
        In which they may be, by number.
    """

    def __init__(self, layouts: Mapping[int, Layout]) -> None:
        self._frame_reader = Reader(FRAME_LAYOUT, layouts)
        self._event_reader = Reader(ENTITY_EVENT_LAYOUT, layouts)
        self._part_reader = Reader(PART_LAYOUT, layouts)

    def add(self, source: str, buffer: PartitionBuffer, messages: Sequence[Message]) -> None:
        """Add messages of a source to a buffer, in their order."""
        if source == BY_ENTITY:
            self._add_entity_events(buffer, messages)
            return
        for has_parts, some in groupby(messages, self._has_parts):
            (self._add_parts if has_parts else self._add_frames)(buffer, list(some))

    def _has_parts(self, message: Message) -> bool:
        """Tell whether a message has parts of vectors, and not frames."""
        number = number_in(cast("bytes", message.value()))
        return number is not None and self._part_reader.knows(number)

    def _add_frames(self, buffer: PartitionBuffer, messages: Sequence[Message]) -> None:
        frames, counts = decode_frames(_values(messages), self._frame_reader)
        _add(buffer, messages, frames, counts, _times_of(frames.rows["event"]))

    def _add_entity_events(self, buffer: PartitionBuffer, messages: Sequence[Message]) -> None:
        events, counts = decode_rows(_values(messages), ENTITY_EVENT_LAYOUT, self._event_reader)
        _add(buffer, messages, RowBatch(events), counts, _times_of(events))

    def _add_parts(self, buffer: PartitionBuffer, messages: Sequence[Message]) -> None:
        parts, counts = decode_rows(_values(messages), PART_LAYOUT, self._part_reader)
        _add(buffer, messages, RowBatch(parts), counts, parts["created_s"])


def offsets_of(messages: Sequence[Message]) -> npt.NDArray[np.int64]:
    """Return the offsets of N messages, i8[N]."""
    return np.array([message.offset() for message in messages], np.int64)


def logged_at(messages: Sequence[Message]) -> Times:
    """Return when the broker had N messages, f8[N], Unix seconds."""
    return np.array([message.timestamp()[1] for message in messages]) / 1e3


def _times_of(events: Rows) -> Times:
    """Return when charges were made; what is no charge does not move the time on.

    The time of a dispute may be far from that of the charges around it.
    """
    return np.where(events["kind"] == CHARGE, events["created"], -np.inf)


def _values(messages: Sequence[Message]) -> list[bytes]:
    return [cast("bytes", message.value()) for message in messages]


def _add(
    buffer: PartitionBuffer,
    messages: Sequence[Message],
    batch: Batch,
    counts: npt.NDArray[np.int64],
    created: Times,
) -> None:
    """Add messages with several events each to a buffer.

    Those of a message are taken together, as a position is that of a message.
    """
    offsets = offsets_of(messages)
    newest = np.maximum.reduceat(created, np.cumsum(counts) - counts).astype(np.float64)
    times, places = np.repeat(newest, counts), np.repeat(offsets, counts)
    logged = np.repeat(logged_at(messages), counts)
    buffer.add(times, batch, places, logged, [], int(offsets[-1]) + 1)
