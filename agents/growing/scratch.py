"""The state of all tasks on this machine, read from their changelogs and removed in the end."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from agents.stages.tasks import STATE_FORMS, state_directory
from streams.engine.restore import Progress, restore
from streams.kafka.partition_reader import PartitionReader
from streams.state.rocksdb import RocksStore
from streams.state.rocksdb_view import RocksView

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.settings.schema import Settings
    from streams.kafka.clients import Clients


class Scratch:
    """A directory of its own beside that of the workers of this machine.

    Parameters
    ----------
    settings
        Of the installation.
    clients
        Make the clients that read.
    changelog
        The topic.
    """

    def __init__(self, settings: Settings, clients: Clients, changelog: str) -> None:
        self._clients = clients
        self._changelog = changelog
        of_workers = state_directory(settings)
        self.directory = of_workers.with_name(f"{of_workers.name}.grow")

    def catch_up(self, count: int) -> int:
        """Read the changelogs of so many tasks to their ends, and return how many records came."""
        records = 0
        for number in range(count):
            store = RocksStore(self.directory / str(number), *STATE_FORMS)
            reader = PartitionReader(self._clients, self._changelog, number)
            progress = Progress()
            try:
                restore(store, reader, number, progress, {})
            finally:
                reader.close()
                store.close()
            records += progress.records
        return records

    @contextmanager
    def views(self, count: int) -> Iterator[list[RocksView]]:
        """Open the states of so many tasks to be read."""
        with ExitStack() as opened:
            yield [
                opened.enter_context(RocksView(self.directory / str(number)))
                for number in range(count)
            ]

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.directory, ignore_errors=True)
