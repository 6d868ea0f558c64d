"""Bringing a task's store up to its changelog."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from time import monotonic
from typing import cast

from confluent_kafka import Message

from streams.engine.task import positions_of
from streams.errors import OperationalError
from streams.kafka.partition_reader import PartitionReader
from streams.state.store import Store
from streams.state.tables import TaskState

logger = logging.getLogger(__name__)

_SHOWN_EVERY_S = 5.0
_HANGING_S = 60.0  # longer than any transaction may stay open


class StateLostError(OperationalError):
    """The group has offsets for a task whose changelog is gone."""


class RestoreStoppedError(RuntimeError):
    """The task was taken away before it was restored."""


@dataclass(slots=True)
class Progress:
    """How far a restore has come; other threads may look at it.

    Attributes
    ----------
    records
        Records read so far.
    position, end
        Offsets of the changelog: the next to read, and the one to reach.
    stop
        Set it to give up.
    """

    records: int = 0
    position: int = 0
    end: int = 0
    stop: Event = field(default_factory=Event)


def restore(
    store: Store,
    reader: PartitionReader,
    number: int,
    progress: Progress,
    offsets: Mapping[str, int],
) -> None:
    """Read the changelog from where the store stands to the end, in bulk.

    A transaction ends on each partition at a time of its own, and one that a dead worker left open
    hides all that came after it until the broker aborts it. So the group's offsets may be known
    before the records that were committed with them are: these are waited for.

    Parameters
    ----------
    store
        The task's store; it changes by whole batches, so it is sound whenever this ends.
    reader
        Of the task's partition of the changelog.
    number
        The task, for the log.
    progress
        Is kept up to date.
    offsets
        The group's offset of each source, negative where it has none.

    Raises
    ------
    RestoreStoppedError
        When it was stopped before the end was reached.
    StateLostError
        When there are offsets but no state.
    """
    began = shown = came = monotonic()
    progress.position, progress.end = seek_to_store(store, reader, number)
    for messages in _up_to(offsets, store, reader, number):
        if messages:
            apply(store, messages)
            progress.position = cast("int", messages[-1].offset()) + 1
            progress.records += len(messages)
            came = monotonic()
        if progress.stop.is_set():
            raise RestoreStoppedError(f"task {number}")
        if monotonic() - shown > _SHOWN_EVERY_S:
            shown = monotonic()
            left = progress.end - progress.position
            logger.info("task %d: restored %d records, %d left", number, progress.records, left)
            if shown - came > _HANGING_S:
                logger.warning(
                    "task %d: nothing comes of its changelog after offset %d. If no broker is "
                    "away, a transaction hangs there: kafka-transactions.sh finds it "
                    "(find-hanging) and ends it (abort)",
                    number, progress.position,
                )  # fmt: skip
    seconds = monotonic() - began
    logger.info("task %d: restored %d records in %.1f s", number, progress.records, seconds)


def apply(store: Store, messages: Sequence[Message]) -> None:
    """Put messages of the changelog into a store."""
    changes = {cast("bytes", message.key()): message.value() for message in messages}
    store.write(changes, [], cast("int", messages[-1].offset()) + 1)


def seek_to_store(store: Store, reader: PartitionReader, number: int) -> tuple[int, int]:
    """Set a reader of the changelog to where the store stands.

    A store that stands for more than the changelog holds is not trusted and emptied first, and so
    is one that stands for less than what the changelog still remembers.

    Returns
    -------
    tuple
        The offset to go on from, and the end of the changelog.
    """
    low, end = reader.watermarks()
    if store.offset is not None and not low <= store.offset <= end:
        logger.warning(
            "task %d: the local state stands at %d, the changelog holds %d to %d: emptied",
            number, store.offset, low, end,
        )  # fmt: skip
        store.clear()
    position = low if store.offset is None else store.offset
    reader.seek(position)
    return position, end


def _up_to(
    offsets: Mapping[str, int], store: Store, reader: PartitionReader, number: int
) -> Iterator[Sequence[Message]]:
    """Yield the changelog up to an end at which all is decided; perhaps nothing for a while."""
    yield from reader.read_to_end()
    while not reader.is_at_end:  # what follows waits for its transaction to be decided
        yield reader.read()
    positions = positions_of(TaskState(store))
    if not _is_behind(positions, offsets):
        return
    if positions is None:
        raise StateLostError(
            f"task {number} has committed offsets but no state: was its changelog deleted? "
            "Restore the topic, or reset the application to begin anew"
        )
    # Written without transactions by two at a time, or its newest part is lost.
    logger.warning("task %d: its state is behind its offsets, and goes on", number)


def _is_behind(positions: Mapping[str, int] | None, offsets: Mapping[str, int]) -> bool:
    """Whether a state stands for less than the group's offsets, but for sources it knows not."""
    if positions is None:
        return any(offset >= 0 for offset in offsets.values())
    return any(offset > positions.get(source, offset) for source, offset in offsets.items())
