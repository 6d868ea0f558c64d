"""The topic of keys, as the command `keys` edits it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.terminal.connection import connect
from agents.web.api.keys import KeyRing
from schemas.api_keys import encode_api_key
from streams.kafka.clients import Clients
from streams.kafka.editor import Editor, Written
from streams.kafka.partition_reader import PartitionReader
from streams.kafka.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.settings.schema import Settings
    from schemas.api_keys import ApiKey


class KeyTopic:
    """The keys of one installation."""

    def __init__(self, settings: Settings) -> None:
        self._name = Topics(settings.topic_prefix).keys
        _, config = connect(settings, self._name)
        self._clients = Clients(config)

    def read(self) -> KeyRing:
        """Return the keys as they are now."""
        ring = KeyRing()
        reader = PartitionReader(self._clients, self._name, 0)
        for messages in reader.read_to_end():
            for message in messages:
                ring.take(message.key() or b"", message.value())
        reader.close()
        return ring

    def edit(self, edit: Callable[[KeyRing], ApiKey]) -> ApiKey:
        """Make an edit of what is there, and return the record that was written.

        Raises
        ------
        EditError
            When nothing was written, or nobody knows.
        """
        editor = Editor(self._clients, self._name)
        made = edit(self.read())
        editor.write([Written(self._name, made.id.encode(), encode_api_key(made))])
        return made
