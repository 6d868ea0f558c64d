"""Records in files: keys and values one after the other, compressed, with a digest of the file.

::

    4 bytes     4 bytes       key     value
    key size    value size
"""

from __future__ import annotations

import hashlib
import os
from struct import Struct
from typing import TYPE_CHECKING, Final

import msgspec
import zstandard

from streams.errors import OperationalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_SIZES: Final = Struct("<II")
_READ_BYTES: Final = 1 << 20

Record = tuple[bytes, bytes]
"""A key and its value."""


class BackupError(OperationalError):
    """A backup that cannot be written, read or put back; the message says why, and what to do."""


class RecordFile(msgspec.Struct, frozen=True):
    """A file of records.

    Attributes
    ----------
    name
        In the directory of the backup.
    records
        How many it has.
    sha256
        Of the file, hexadecimal.
    """

    name: str
    records: int
    sha256: str


def write_records(directory: Path, name: str, records: Iterable[Record]) -> RecordFile:
    """Write records to a file that nobody else may read.

    Raises
    ------
    BackupError
        When it cannot be written, as when it is there.
    """
    count = 0
    try:
        descriptor = os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor
            with zstandard.ZstdCompressor().stream_writer(file, closefd=False) as packed:
                for key, value in records:
                    packed.write(_SIZES.pack(len(key), len(value)) + key + value)
                    count += 1
            file.flush()
            os.fsync(file.fileno())
        return RecordFile(name, count, sha256_of(directory / name))
    except OSError as error:
        raise BackupError(f"{directory / name}: {error.strerror}") from None


def read_records(directory: Path, file: RecordFile) -> Iterator[Record]:
    """Yield the records of a file, which is whole: see `check_file`.

    Raises
    ------
    BackupError
        When it cannot be read.
    """
    path = directory / file.name
    try:
        with path.open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed) as plain:
            while sizes := _read(plain, _SIZES.size):
                key_bytes, value_bytes = _SIZES.unpack(sizes)
                key = _read(plain, key_bytes)
                yield key, _read(plain, value_bytes)
    except OSError as error:
        raise BackupError(f"{path}: {error.strerror}") from None


def check_file(directory: Path, file: RecordFile) -> None:
    """Refuse a file that is not the one that was written.

    Raises
    ------
    BackupError
        When it is missing or has other bytes.
    """
    try:
        found = sha256_of(directory / file.name)
    except OSError as error:
        raise BackupError(f"{directory / file.name}: {error.strerror}") from None
    if found != file.sha256:
        raise BackupError(
            f"{directory / file.name}: its SHA-256 is not the one in the manifest: it was changed "
            "or is torn, and nothing of the backup is used"
        )


def sha256_of(path: Path) -> str:
    """Return the digest of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            digest.update(part)
    return digest.hexdigest()


def _read(plain: zstandard.ZstdDecompressionReader, size: int) -> bytes:
    """Read so many bytes, fewer only at the end."""
    found = b""
    while len(found) < size and (part := plain.read(size - len(found))):
        found += part
    return found
