"""The topics of a backup, and what is on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.topics import INSTALLATION, TOPICS
from streams.kafka.partition_reader import PartitionReader

if TYPE_CHECKING:
    from streams.kafka.clients import Clients

LATEST: Final = tuple(row for row in TOPICS if row.kept == "latest" and row is not INSTALLATION)
"""What people decided, users and keys, models: topics of one partition that keep the latest of each
key."""


def latest_of(clients: Clients, topic: str, partition: int = 0) -> dict[bytes, bytes]:
    """Return the latest value of each key of a partition, in the order in which keys came last.

    Of two records that are compared by when they came, none changes its place.
    """
    latest: dict[bytes, bytes] = {}
    reader = PartitionReader(clients, topic, partition)
    try:
        for messages in reader.read_to_end():
            for message in messages:
                key, value = message.key() or b"", message.value()
                latest.pop(key, None)
                if value is not None:
                    latest[key] = value
    finally:
        reader.close()
    return latest
