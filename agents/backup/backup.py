"""The backup: what people decided and the models at any time, the state while no worker runs."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from agents.backup.files import BackupError, RecordFile, write_records
from agents.backup.manifest import FORM, MANIFEST, Manifest, Task, write_manifest
from agents.backup.marks import mark_before
from agents.backup.topics import LATEST, latest_of
from agents.growing.scratch import Scratch
from agents.growing.unread import INPUTS, check_nobody_works, check_read
from schemas.topics import INSTALLATION
from streams.engine.group_member import TaskTopics
from streams.engine.task import BETWEEN_STAGES, positions_in
from streams.kafka.clients import Clients
from streams.kafka.installation import Installation
from streams.kafka.topics import partitions_found
from streams.state.store import KeyRange
from streams.state.tables import META, Table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agents.settings.schema import Settings
    from streams.kafka.config import Admin, Config
    from streams.kafka.topics import Topics
    from streams.state.store import Readable

ALL: Final = KeyRange(b"\x01", b"\xff")
"""The keys of all tables."""


class Backup:
    """Writes the backup of an installation.

    Parameters
    ----------
    settings
        Of the installation.
    admin, config
        Client of its cluster, and settings of others.
    topics
        Names of its topics.
    say
        Is told what is done.
    """

    def __init__(
        self,
        settings: Settings,
        admin: Admin,
        config: Config,
        topics: Topics,
        say: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._admin = admin
        self._config = config
        self._topics = topics
        self._say = say
        self._clients = Clients(config)

    def write(self, directory: Path, *, has_state: bool) -> None:
        """Write it to a directory that is empty or not there.

        Raises
        ------
        BackupError
            When the directory cannot be used.
        GrowError
            When the state is wanted, and a worker runs or something is not processed.
        TopicsError, NotAllowedError
            When the brokers do not answer, or do not allow it.
        """
        _make_empty(directory)
        tasks = self._tasks(directory) if has_state else []
        files = {row.name: self._topic(directory, row.name) for row in LATEST}
        if has_state:
            files[INSTALLATION.name] = self._topic(directory, INSTALLATION.name)
        manifest = Manifest(FORM, version("chargewatch"), time.time(), files, tasks)
        write_manifest(directory, manifest)
        records = sum(file.records for file in manifest.files)
        self._say(f"{records:,} records in {len(manifest.files)} files and {MANIFEST}")

    def _topic(self, directory: Path, name: str) -> RecordFile:
        latest = latest_of(self._clients, f"{self._topics.prefix}{name}")
        return write_records(directory, f"{name}.zst", latest.items())

    def _tasks(self, directory: Path) -> list[Task]:
        group = self._settings.group_id
        check_nobody_works(self._admin, self._clients, group)
        count = Installation(self._config, self._topics).partitions
        if count is None:
            raise BackupError("there is no state: no worker has ever run; leave --state out")
        found = set(partitions_found(self._admin, self._topics.of_a_task).values())
        if found != {count}:
            raise BackupError(
                f"the state is of {count} partitions, and its topics have others: a growth was "
                f"stopped; type `chargewatch topics --grow {max(found)}` again, then this"
            )
        scratch = Scratch(self._settings, self._clients, self._topics.changelog)
        scratch.remove()
        self._say(f"Reading the state of {count} tasks into {scratch.directory}")
        scratch.catch_up(count)
        names = TaskTopics(self._topics)
        with scratch.views(count) as views:
            check_read(self._clients, names, views, (*INPUTS, *BETWEEN_STAGES))
            tasks = [
                Task(
                    write_records(directory, f"task-{number}.zst", view.scan(ALL)),
                    self._marks(names, number, view),
                )
                for number, view in enumerate(views)
            ]
        check_nobody_works(self._admin, self._clients, group)
        scratch.remove()
        return tasks

    def _marks(self, names: TaskTopics, number: int, store: Readable) -> dict[str, str]:
        positions = positions_in(Table(store, META)) or {}
        marks = {
            source: mark_before(self._clients, names.inputs[source], number, positions[source])
            for source in INPUTS
            if source in positions
        }
        return {source: mark for source, mark in marks.items() if mark is not None}


def _make_empty(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise BackupError(f"{directory}: is not empty; name another directory")
    except OSError as error:
        raise BackupError(f"{directory}: {error.strerror}") from None
