"""The way back: a backup into an installation that has nothing, or what a stopped restore left.

Positions are found anew, as offsets are another cluster's: behind the message that a state has
counted last where inputs are mirrored, else at the first message there is. Models go on with the
first example of the new topic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from agents.backup.files import BackupError, check_file, read_records
from agents.backup.manifest import Manifest, read_manifest
from agents.backup.marks import position_behind
from agents.backup.topics import LATEST, latest_of
from agents.growing.unread import INPUTS, check_nobody_works
from schemas.control import CHAMPION_KEY, LOADED_PREFIX
from schemas.snapshot import decode_snapshot, encode_snapshot
from schemas.topics import INSTALLATION, MODELS, MODELS_BYTES_MAX
from streams.engine.group_member import TaskTopics
from streams.engine.task import BETWEEN_STAGES, LATER_POSITIONS, POSITIONS, encoded_positions
from streams.kafka.clients import Clients
from streams.kafka.installation import Installation
from streams.kafka.partition_reader import PartitionReader
from streams.kafka.publisher import Publisher
from streams.kafka.topics import ensure_topics
from streams.state.tables import META

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agents.backup.files import Record
    from agents.settings.schema import Settings
    from streams.kafka.config import Admin, Config
    from streams.kafka.topics import Topics

_AT_ONCE: Final = 10_000
_OF_INSTALLATION: Final = (b"layout/", b"fraud-value/")
"""Beginnings of the keys that go with a state."""


class Restore:
    """Puts a backup into an installation; the parameters are those of `Backup`."""

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
        self._publisher = Publisher(config | {"message.max.bytes": MODELS_BYTES_MAX})

    def read(self, directory: Path) -> None:
        """Put it back; typed again it goes on where it was stopped.

        Raises
        ------
        BackupError
            When the backup is not whole, or there is something that is not of it.
        GrowError
            When a worker runs.
        TopicsError, NotAllowedError
            When the brokers do not answer, or do not allow it.
        """
        manifest = read_manifest(directory)
        for file in manifest.files:
            check_file(directory, file)
        group = self._settings.group_id
        check_nobody_works(self._admin, self._clients, group)
        reports = ensure_topics(
            self._admin,
            self._topics,
            len(manifest.tasks) or None,
            label_horizon_days=self._settings.label_horizon_days,
        )
        installation = Installation(self._config, self._topics)
        if not installation.is_restoring:
            self._check_empty(reports[0].partitions)
        positions = self._positions(manifest)
        wanted = {row.name: dict(self._wanted(directory, manifest, row.name)) for row in LATEST}
        for name, records in wanted.items():
            self._check_like(name, records)
        installation.keep_restoring(is_begun=True)
        for name, records in wanted.items():
            self._publisher.publish(f"{self._topics.prefix}{name}", list(records.items()))
        for number, of_task in enumerate(positions):
            self._put_task(directory, manifest, number, of_task)
        self._publisher.flush()
        if manifest.tasks:
            self._put_installation(directory, manifest)
            installation.keep_partitions(len(manifest.tasks))
        installation.keep_restoring(is_begun=False)
        count = sum(file.records for file in manifest.files)
        self._say(f"{count:,} records are back; start the workers, then the others.")

    def _check_empty(self, partitions: int) -> None:
        """Refuse an installation in which workers have worked."""
        names = TaskTopics(self._topics).inputs
        of_tasks = [self._topics.changelog, *(names[source] for source in BETWEEN_STAGES)]
        places = [(topic, number) for topic in of_tasks for number in range(partitions)]
        asker = PartitionReader(self._clients, self._topics.examples, 0)
        try:
            for topic, number in [*places, (self._topics.examples, 0)]:
                low, end = asker.watermarks_of(topic, number)
                if end > low:
                    raise BackupError(
                        f"topic {topic}: is not empty; a backup goes into an installation that has "
                        "no state: name another topic_prefix, or reset this one. Nothing was "
                        "written"
                    )
        finally:
            asker.close()

    def _check_like(self, name: str, wanted: dict[bytes, bytes]) -> None:
        """Refuse a topic that has something else than the backup."""
        topic = f"{self._topics.prefix}{name}"
        for key, value in latest_of(self._clients, topic).items():
            if wanted.get(key) != value:
                raise BackupError(
                    f"topic {topic}: has records that are not those of the backup; name another "
                    "topic_prefix, or delete the topic. Nothing was written"
                )

    def _wanted(
        self, directory: Path, manifest: Manifest, name: str
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield the records for a topic: of models, as they go on."""
        for key, value in read_records(directory, manifest.topics[name]):
            is_snapshot = name == MODELS.name and key != CHAMPION_KEY
            if is_snapshot and not key.startswith(LOADED_PREFIX.encode()):
                snapshot = replace(decode_snapshot(value), offset=0, loaded_at=0)
                yield key, encode_snapshot(snapshot)
            else:
                yield key, value

    def _positions(self, manifest: Manifest) -> list[dict[str, int]]:
        """Return where each task goes on, before anything is written."""
        names = TaskTopics(self._topics).inputs
        positions = [
            {
                source: position_behind(self._clients, names[source], number, task.last.get(source))
                for source in INPUTS
            }
            for number, task in enumerate(manifest.tasks)
        ]
        asker = PartitionReader(self._clients, self._topics.changelog, 0)
        try:
            for number, of_task in enumerate(positions):
                for source in BETWEEN_STAGES:
                    _, of_task[source] = asker.watermarks_of(names[source], number)
        finally:
            asker.close()
        return positions

    def _put_task(
        self, directory: Path, manifest: Manifest, number: int, positions: dict[str, int]
    ) -> None:
        """Write the state of a task to its changelog."""
        first, later = encoded_positions(positions)
        anew = {META + POSITIONS: first, META + LATER_POSITIONS: later}
        part: list[Record] = []
        for key, value in read_records(directory, manifest.tasks[number].records):
            if key not in anew:
                part.append((key, value))
            if len(part) == _AT_ONCE:
                self._publisher.publish_to(self._topics.changelog, number, part)
                part = []
        self._publisher.publish_to(self._topics.changelog, number, [*part, *anew.items()])
        self._say(f"task {number}: {manifest.tasks[number].records.records:,} records")

    def _put_installation(self, directory: Path, manifest: Manifest) -> None:
        """Write the layouts that the state is in, and what tasks have told of themselves."""
        records = [
            (key, value)
            for key, value in read_records(directory, manifest.topics[INSTALLATION.name])
            if key.startswith(_OF_INSTALLATION)
        ]
        self._publisher.publish_to(self._topics.installation, 0, records)
        self._publisher.flush()
