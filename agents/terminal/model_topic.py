"""The topic of models, as commands and the console read and decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.learning.model_registry import ModelBook
from agents.terminal.connection import connect
from schemas.control import Champion, Loaded, encode_control
from schemas.topics import MODELS_BYTES_MAX
from streams.kafka.clients import Clients
from streams.kafka.partition_reader import PartitionReader
from streams.kafka.publisher import Publisher
from streams.kafka.topics import Topics

if TYPE_CHECKING:
    from agents.settings.schema import Settings


class ModelTopic:
    """The topic `models` of one installation: read once, and later what has come since.

    Attributes
    ----------
    clients, name
        Of the installation.
    """

    def __init__(self, settings: Settings) -> None:
        self.name = Topics(settings.topic_prefix).models
        _, config = connect(settings, self.name)
        self.clients = Clients(config)
        self._book = ModelBook()
        self._reader: PartitionReader | None = None

    def book(self) -> ModelBook:
        """Return what is on it now."""
        if self._reader is None:
            self._reader = PartitionReader(self.clients, self.name, 0)
        for messages in self._reader.read_to_end():
            self._book.take((message.key(), message.value()) for message in messages)
        return self._book

    def write(self, key: bytes, record: Champion | Loaded) -> None:
        """Write a control record, and wait until Kafka has it."""
        publisher = Publisher(self.clients.config | {"message.max.bytes": MODELS_BYTES_MAX})
        publisher.publish(self.name, [(key, encode_control(record))])
        publisher.flush()

    def close(self) -> None:
        """Disconnect."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
