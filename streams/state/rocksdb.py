"""A task's store on disk: one RocksDB database a task."""

import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

from rocksdict import (
    BlockBasedIndexType,
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteOptions,
)

from streams.errors import OperationalError
from streams.layouts.layout import LayoutError
from streams.state.store import Changes, KeyRange, StoreFigures

logger = logging.getLogger(__name__)

STAMP_KEY = b"\x00stamp"
"""Under it are the form of the records, and the changelog offset that they stand for."""

DAMAGE_NOTE = "DAMAGED"
"""The file that says what was found damaged."""

_LOCKED = ("lock hold by", "Resource temporarily unavailable")
_SCANNED_AT_ONCE = 100
_BLOOM_BITS_PER_KEY = 10  # one false positive in a hundred look-ups of an unknown key
_BLOCK_CACHE_BYTES = 32 << 20
_WRITE_BUFFER_BYTES = 32 << 20
_PROPERTIES = (
    "total-sst-files-size",
    "cur-size-all-mem-tables",
    "block-cache-usage",
    "estimate-num-keys",
    "estimate-pending-compaction-bytes",
    "is-write-stopped",
)
"""Of a database, in the order of `StoreFigures`."""


class StateError(OperationalError):
    """A task's database cannot be used: the disk is full or not ours to write, or has failed."""


class StateInUseError(StateError):
    """Another process has a task's database open."""


class RocksStore:
    """One RocksDB database that holds only what a transaction has committed.

    Every commit stamps it with its form and offset. Damage that shows while it is used is an
    error, and empties the database when it is next opened.

    Parameters
    ----------
    path
        Directory of the database; made when it is missing.
    forms
        How the records are written: the form of this version, and those besides that it reads. A
        database of another form is left as it is; a damaged one is emptied, as the changelog has
        everything.

    Raises
    ------
    StateInUseError
        When another process has the database open.
    StateError
        When the disk refuses it, or it is of another form. It is left as it is.
    """

    def __init__(self, path: Path, *forms: str) -> None:
        self._path = path
        self._forms = [form.encode() for form in forms]
        self._damage_note = path / DAMAGE_NOTE
        self._db = self._open_sound()

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `Store.get_many`."""
        with self._failures_named():
            return cast("list[bytes | None]", self._db.get(list(keys)))

    def scan(self, keys: KeyRange) -> Iterator[tuple[bytes, bytes]]:
        """See `Store.scan`."""
        start = keys.start
        while chunk := self._first(KeyRange(start, keys.end)):
            yield from chunk
            start = chunk[-1][0] + b"\x00"

    def _first(self, keys: KeyRange) -> list[tuple[bytes, bytes]]:
        """Return the first items of a range.

        The iterator is not kept: RocksDB keeps its lock while one is alive. And it is not that of
        `items`, which at a damaged block just ends.
        """
        options = ReadOptions()
        options.set_iterate_upper_bound(keys.end)
        found: list[tuple[bytes, bytes]] = []
        with self._failures_named():
            at = self._db.iter(options)
            at.seek(keys.start)
            while len(found) < _SCANNED_AT_ONCE and at.valid():
                found.append((at.key(), at.value()))
                at.next()
            at.status()
        return found

    def write(self, changes: Changes, dropped: Iterable[KeyRange], offset: int) -> None:
        """See `Store.write`."""
        batch = WriteBatch(raw_mode=True)
        for keys in dropped:
            batch.delete_range(keys.start, keys.end)
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(STAMP_KEY, b"%b %d" % (self._forms[0], offset))
        with self._failures_named():
            self._db.write(batch)

    @property
    def offset(self) -> int | None:
        """See `Store.offset`."""
        [stamp] = self.get_many([STAMP_KEY])
        return None if stamp is None else int(stamp.rpartition(b" ")[2])

    def figures(self) -> StoreFigures:
        """See `Store.figures`."""
        return StoreFigures(
            *(int(self._db.property_int_value(f"rocksdb.{name}") or 0) for name in _PROPERTIES)
        )

    def clear(self) -> None:
        """See `Store.clear`."""
        with self._failures_named():
            self._db.close()
            self._db = self._open_empty()

    def close(self) -> None:
        """See `Store.close`."""
        with self._failures_named():
            self._db.close()

    def _open_sound(self) -> Rdict:
        """Open the database; empty it first when it is damaged."""
        with self._failures_named():
            db, cause = None, self._damage_left()
            if cause is None:
                try:
                    db = self._open()
                    stamp: bytes = db.get(STAMP_KEY) or b""
                except Exception as error:
                    if not is_damage(error):
                        raise
                    cause = str(error)
            if cause is not None:
                logger.warning("emptying the state in %s, to be restored: %s", self._path, cause)
                return self._open_empty()
            assert db is not None
            form = stamp.rpartition(b" ")[0]
            if form in self._forms:
                return db
            db.close()
            if form:
                raise LayoutError(f"the state in {self._path}", f"form {form.decode()}")
            return self._open_empty()  # nothing was ever committed

    def _open(self) -> Rdict:
        self._path.mkdir(parents=True, exist_ok=True)
        options = database_options()
        # Named once more for the column family that holds everything: of a database that is there
        # already, this one's would otherwise be those it was made with, and its cache 8 MB.
        db = Rdict(str(self._path), options, {"default": options})
        db.set_write_options(_without_log())
        return db

    def _open_empty(self) -> Rdict:
        shutil.rmtree(self._path)
        return self._open()

    @contextmanager
    def _failures_named(self) -> Iterator[None]:
        """Raise what RocksDB and the disk refuse as a `StateError`, and leave a note of damage."""
        try:
            yield
        except OperationalError:
            raise
        except Exception as error:
            if any(sign in str(error) for sign in _LOCKED):
                raise StateInUseError(f"{self._path} is in use by another worker") from error
            if is_damage(error):
                with suppress(OSError):
                    self._damage_note.write_text(str(error))
                raise StateError(
                    f"the state in {self._path} is damaged, and rebuilt at the next start: {error}"
                ) from error
            raise StateError(f"cannot use the state in {self._path}: {error}") from error

    def _damage_left(self) -> str | None:
        """Return what was found damaged when the database was last in use."""
        return self._damage_note.read_text() if self._damage_note.exists() else None


def is_damage(error: Exception) -> bool:
    """Whether files are torn or missing, as opposed to a disk that refuses."""
    text = str(error)
    if isinstance(error, OSError):
        return False
    return "No such file" in text or not (text.startswith("IO error") or "(os error" in text)


def _without_log() -> WriteOptions:
    """Write to memory alone until a table file is full: the changelog is the log.

    What a killed process had in memory is read from there again, and is at most two write buffers.
    """
    options = WriteOptions()
    options.disable_wal = True  # type: ignore[method-assign, assignment] # the stub errs
    return options


def database_options() -> Options:
    """Bound the memory: indexes and filters are in the cache, in parts, not whole beside it."""
    tables = BlockBasedOptions()
    tables.set_bloom_filter(_BLOOM_BITS_PER_KEY, block_based=False)
    tables.set_block_cache(Cache(_BLOCK_CACHE_BYTES))
    tables.set_cache_index_and_filter_blocks(True)
    tables.set_index_type(BlockBasedIndexType.two_level_index_search())
    tables.set_partition_filters(True)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(tables)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(2)
    options.set_paranoid_checks(True)
    options.set_keep_log_file_num(2)
    return options
