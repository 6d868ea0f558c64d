"""The log of what was changed on the topics that people edit."""

from schemas.changes import Change, decode_change
from streams.kafka.clients import Clients
from streams.kafka.partition_reader import PartitionReader


def read_changes(clients: Clients, topic: str) -> list[Change]:
    """Return all changes, each key's oldest first."""
    found = dict[bytes, Change]()
    reader = PartitionReader(clients, topic, 0)
    for messages in reader.read_to_end():
        for message in messages:
            key, value = message.key(), message.value()
            if key is not None and value is not None:
                found[key] = decode_change(value)
    reader.close()
    return [found[key] for key in sorted(found)]
