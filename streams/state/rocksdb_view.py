"""A task's database as its files have it: for looking at it, also while a worker runs above it.

RocksDB opens it to read, which changes none of its files. What a worker has in memory alone is not
in them (see `streams.state.rocksdb`), so that the newest commits may be missing; what is there is a
state that a commit has left. The worker may replace files meanwhile: all are opened at once, and
what is open can be read to its end.
"""

import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, Self, cast

from rocksdict import AccessType, Rdict, RdictIter, ReadOptions

from streams.errors import OperationalError
from streams.state.rocksdb import DAMAGE_NOTE, STAMP_KEY, StateError, database_options, is_damage
from streams.state.store import KeyRange

Item = tuple[bytes, bytes]
"""A key and its value."""

_CHUNK_RECORDS, _CHUNK_BYTES = 1000, 4 << 20
_READ_AHEAD_BYTES = 2 << 20
_ATTEMPTS = 5
_CURRENT = "CURRENT"
_READ = ("MANIFEST-*", "*.sst", "*.log")


class Stamp(NamedTuple):
    """What every commit leaves: the form of the records, and the changelog offset."""

    form: str
    offset: int


class RocksView:
    """One RocksDB database, to be read; a context that closes it.

    Parameters
    ----------
    path
        Directory of the database.

    Raises
    ------
    StateError
        When there is none, when it is damaged, or the disk refuses it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._links = ""
        with self._failures_named():
            self.size_bytes = _size_bytes(path)
            if (path / DAMAGE_NOTE).exists():
                raise StateError(self._damaged((path / DAMAGE_NOTE).read_text()))
            if not (path / _CURRENT).exists():
                raise StateError(
                    f"there is no database in {path}: a worker makes it again at its next start"
                )
            self._db = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @property
    def stamp(self) -> Stamp | None:
        """What the latest commit left, `None` where the files have none."""
        [stamp] = self.get_many([STAMP_KEY])
        if stamp is None:
            return None
        form, _, offset = stamp.rpartition(b" ")
        return Stamp(form.decode(errors="backslashreplace"), int(offset))

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `Readable.get_many`."""
        with self._failures_named():
            return cast("list[bytes | None]", self._db.get(list(keys)))

    def scan(self, keys: KeyRange) -> Iterator[Item]:
        """See `Readable.scan`."""
        for chunk in self.chunks(keys):
            yield from chunk

    def chunks(self, keys: KeyRange) -> Iterator[list[Item]]:
        """Yield the keys and values of a range in the order of the keys, some thousand together."""
        options = ReadOptions()
        options.set_iterate_upper_bound(keys.end)
        options.set_readahead_size(_READ_AHEAD_BYTES)
        with self._failures_named():
            at = self._db.iter(options)
            at.seek(keys.start)
        while chunk := self._next(at):
            yield chunk

    def _next(self, at: RdictIter) -> list[Item]:
        chunk: list[Item] = []
        size = 0
        with self._failures_named():
            while len(chunk) < _CHUNK_RECORDS and size < _CHUNK_BYTES and at.valid():
                value = at.value()
                chunk.append((at.key(), value))
                size += len(value)
                at.next()
            at.status()
        return chunk

    def _open(self) -> Rdict:
        """Open the files that are there; again where a worker has replaced some meanwhile."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._open_linked()
            except Exception as error:  # rocksdict raises nothing else
                if "No such file" not in str(error):
                    raise
        return self._open_linked()

    def _open_linked(self) -> Rdict:
        """Open links to the files: rocksdict writes a file of its own into the directory."""
        options = database_options()
        with TemporaryDirectory(prefix="chargewatch-") as self._links:
            for file in _read_files(self._path.resolve()):
                (Path(self._links) / file.name).symlink_to(file)
            return Rdict(
                self._links,
                options,
                {"default": options},
                AccessType.read_only(error_if_log_file_exist=False),
            )

    @contextmanager
    def _failures_named(self) -> Iterator[None]:
        """Raise what RocksDB and the disk refuse as a `StateError`."""
        try:
            yield
        except OperationalError:
            raise
        except Exception as error:
            why = str(error).replace(self._links, str(self._path)) if self._links else str(error)
            if is_damage(error):
                raise StateError(self._damaged(why)) from error
            raise StateError(f"cannot read the state in {self._path}: {why}") from error

    def _damaged(self, why: str) -> str:
        return f"the state in {self._path} is damaged, and rebuilt at a worker's next start: {why}"


def _read_files(path: Path) -> Iterable[Path]:
    """Return the files that reading needs."""
    return [path / _CURRENT, *(file for pattern in _READ for file in path.glob(pattern))]


def _size_bytes(path: Path) -> int:
    """Return how large the files in a directory are together."""
    found = 0
    for file in path.iterdir():
        try:
            state = file.stat()
        except FileNotFoundError:  # replaced just now
            continue
        found += state.st_size if stat.S_ISREG(state.st_mode) else 0
    return found
