"""Bringing a task's store up to its changelog."""

import logging
from collections.abc import Mapping
from threading import Event
from time import monotonic
from typing import cast

from streams.follower import Follower
from streams.store import Store

logger = logging.getLogger(__name__)


class RestoreStoppedError(RuntimeError):
    """The task was taken away before it was restored."""


def restore(
    store: Store, config: Mapping[str, object], topic: str, partition: int, stop: Event
) -> int:
    """Read the changelog from where the store stands to the end, in bulk.

    A store that stands for more than the changelog holds is not trusted and emptied first.

    Parameters
    ----------
    store
        The task's store; it changes by whole batches, so it is sound whenever this ends.
    config
        Client settings (`streams.client.client_config`).
    topic, partition
        The changelog.
    stop
        Set it to give up.

    Returns
    -------
    int
        Records read.

    Raises
    ------
    RestoreStoppedError
        When `stop` was set before the end was reached.
    """
    began, records = monotonic(), 0
    follower = Follower(config, topic, partition)
    try:
        low, high = follower.watermarks()
        if store.offset is not None and not low <= store.offset <= high:
            logger.warning(
                "task %d: the local state stands at %d, the changelog holds %d to %d: emptied",
                partition, store.offset, low, high,
            )  # fmt: skip
            store.clear()
        if store.offset is not None:
            follower.seek(store.offset)
        for messages in follower.read_to_end():
            changes = {cast("bytes", message.key()): message.value() for message in messages}
            store.write(changes, [], cast("int", messages[-1].offset()) + 1)
            records += len(messages)
            if stop.is_set():
                raise RestoreStoppedError(f"task {partition}")
    finally:
        follower.close()
    seconds = monotonic() - began
    logger.info("task %d: restored %d records in %.1f s", partition, records, seconds)
    return records
