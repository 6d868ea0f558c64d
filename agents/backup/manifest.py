"""The page of a backup: what is in it, with digests. It is written last, so a backup is whole."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import msgspec

from agents.backup.files import BackupError, RecordFile

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST: Final = "manifest.json"
FORM: Final = 1


class Task(msgspec.Struct, frozen=True):
    """The state of a task.

    Attributes
    ----------
    records
        All of it, by their keys.
    last
        By input the SHA-256 of the last message that counts, hexadecimal; missing where there is
        none.
    """

    records: RecordFile
    last: dict[str, str]


class Manifest(msgspec.Struct, frozen=True):
    """What is in a backup.

    Attributes
    ----------
    form
        Of the backup.
    version
        Of Chargewatch, that wrote it.
    created
        When, Unix seconds.
    topics
        By names without the prefix, those that keep the latest of each key.
    tasks
        States by number; none where they were left out.
    """

    form: int
    version: str
    created: float
    topics: dict[str, RecordFile]
    tasks: list[Task] = []

    @property
    def files(self) -> list[RecordFile]:
        """All files."""
        return [*self.topics.values(), *(task.records for task in self.tasks)]


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write the page, whole or not at all."""
    path = directory / MANIFEST
    part = path.with_suffix(".part")
    try:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
        part.chmod(0o600)
        part.replace(path)
        descriptor = os.open(directory, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    except OSError as error:
        raise BackupError(f"{path}: {error.strerror}") from None


def read_manifest(directory: Path) -> Manifest:
    """Return the page of a backup.

    Raises
    ------
    BackupError
        When there is none, or another version's.
    """
    path = directory / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise BackupError(
            f"{path}: not there: no backup, or one that was not finished; make it again"
        ) from None
    except OSError as error:
        raise BackupError(f"{path}: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise BackupError(f"{path}: {error}") from None
    if manifest.form != FORM:
        raise BackupError(f"{path}: form {manifest.form}, and this version reads {FORM}")
    return manifest
