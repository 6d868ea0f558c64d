"""Where a task stands on its inputs, told by what it read last: offsets differ between clusters."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from agents.backup.files import BackupError
from streams.kafka.partition_reader import PartitionReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confluent_kafka import Message

    from streams.kafka.clients import Clients

_AT_ONCE: Final = 10_000
"""Offsets that are looked through together, from the end back."""


def mark_before(clients: Clients, topic: str, partition: int, position: int) -> str | None:
    """Return the mark of the last message before a position, `None` where there is none."""
    reader = PartitionReader(clients, topic, partition)
    try:
        low, _ = reader.watermarks()
        for message in _backwards(reader, low, position):
            return _mark(message)
        return None
    finally:
        reader.close()


def position_behind(clients: Clients, topic: str, partition: int, mark: str | None) -> int:
    """Return the offset behind the message of a mark; the beginning where nothing was read.

    Raises
    ------
    BackupError
        When messages are there, and none of them has the mark.
    """
    reader = PartitionReader(clients, topic, partition)
    try:
        low, end = reader.watermarks()
        if mark is None:
            return low
        is_empty = True
        for message in _backwards(reader, low, end):
            is_empty = False
            if _mark(message) == mark:
                return (message.offset() or 0) + 1
    finally:
        reader.close()
    if is_empty:
        return low
    raise BackupError(
        f"topic {topic}: partition {partition} has messages, and not the one that the state has "
        "counted last: it is not mirrored yet, or this is another topic. Nothing was written"
    )


def _backwards(reader: PartitionReader, low: int, end: int) -> Iterator[Message]:
    """Yield the messages below an offset, the last one first."""
    while end > low:
        start = max(low, end - _AT_ONCE)
        reader.seek(start)
        found: list[Message] = []
        while not found or (found[-1].offset() or 0) < end - 1:
            messages = reader.read()
            found += messages
            if not messages and reader.reached >= 0:
                break
        yield from (message for message in reversed(found) if (message.offset() or 0) < end)
        end = start


def _mark(message: Message) -> str:
    digest = hashlib.sha256(message.key() or b"")
    digest.update(b"\0")
    digest.update(message.value() or b"")
    return digest.hexdigest()
