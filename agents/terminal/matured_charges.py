"""Matured charges, as commands read them from their topic."""

from collections.abc import Iterator

from streams.events.rows import Rows
from streams.kafka.clients import Clients
from streams.kafka.installation import KeptLayouts
from streams.kafka.partition_reader import PartitionReader
from streams.kafka.topics import Topics
from streams.layouts.reader import Reader
from streams.wire.matured import MATURED_LAYOUT, decode_matured


def read_matured(clients: Clients, topics: Topics) -> Iterator[Rows]:
    """Yield all that there are now, MATURED_CHARGE[N]."""
    layouts = Reader(MATURED_LAYOUT, KeptLayouts(clients, topics.installation))
    reader = PartitionReader(clients, topics.matured, 0)
    for messages in reader.read_to_end():
        yield decode_matured([message.value() or b"" for message in messages], layouts)
    reader.close()
