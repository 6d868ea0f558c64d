"""Bringing a task's store up to its changelog."""

import logging
from dataclasses import dataclass, field
from threading import Event
from time import monotonic
from typing import cast

from streams.follower import Follower
from streams.store import Store

logger = logging.getLogger(__name__)

_SHOWN_EVERY_S = 5.0


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


def restore(store: Store, follower: Follower, number: int, progress: Progress) -> None:
    """Read the changelog from where the store stands to the end, in bulk.

    Parameters
    ----------
    store
        The task's store; it changes by whole batches, so it is sound whenever this ends.
    follower
        Of the task's partition of the changelog.
    number
        The task, for the log.
    progress
        Is kept up to date.

    Raises
    ------
    RestoreStoppedError
        When it was stopped before the end was reached.
    """
    began = shown = monotonic()
    progress.position, progress.end = seek_to_store(store, follower, number)
    for messages in follower.read_to_end():
        changes = {cast("bytes", message.key()): message.value() for message in messages}
        progress.position = cast("int", messages[-1].offset()) + 1
        store.write(changes, [], progress.position)
        progress.records += len(messages)
        if progress.stop.is_set():
            raise RestoreStoppedError(f"task {number}")
        if monotonic() - shown > _SHOWN_EVERY_S:
            shown = monotonic()
            left = progress.end - progress.position
            logger.info("task %d: restored %d records, %d left", number, progress.records, left)
    seconds = monotonic() - began
    logger.info("task %d: restored %d records in %.1f s", number, progress.records, seconds)


def seek_to_store(store: Store, follower: Follower, number: int) -> tuple[int, int]:
    """Set a follower of the changelog to where the store stands.

    A store that stands for more than the changelog holds is not trusted and emptied first, and so
    is one that stands for less than what the changelog still remembers.

    Returns
    -------
    tuple
        The offset to go on from, and the end of the changelog.
    """
    low, end = follower.watermarks()
    if store.offset is not None and not low <= store.offset <= end:
        logger.warning(
            "task %d: the local state stands at %d, the changelog holds %d to %d: emptied",
            number, store.offset, low, end,
        )  # fmt: skip
        store.clear()
    position = low if store.offset is None else store.offset
    follower.seek(position)
    return position, end
