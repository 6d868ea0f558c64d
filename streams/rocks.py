"""A task's store on disk: one RocksDB database a task."""

import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

from rocksdict import BlockBasedOptions, Cache, Options, Rdict, ReadOptions, WriteBatch

from streams.errors import OperationalError
from streams.store import Changes, KeyRange

logger = logging.getLogger(__name__)

_OFFSET_KEY = b"\x00offset"
_FORMAT_KEY = b"\x00format"
_BLOOM_BITS_PER_KEY = 10  # one false positive in a hundred look-ups of an unknown key
_BLOCK_CACHE_BYTES = 32 << 20
_WRITE_BUFFER_BYTES = 32 << 20


class StateInUseError(OperationalError):
    """Another process has a task's database open."""


class RocksStore:
    """One RocksDB database that holds only what a transaction has committed.

    Parameters
    ----------
    path
        Directory of the database; made when it is missing.
    format_id
        Names the layout of the records. A database of another layout is emptied, and so is one
        that RocksDB cannot open: the changelog has everything.

    Raises
    ------
    StateInUseError
        When another process has the database open.
    """

    def __init__(self, path: Path, format_id: str) -> None:
        self._path = path
        self._format = format_id.encode()
        self._db = self._open_sound()

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `Store.get_many`."""
        return cast("list[bytes | None]", self._db.get(list(keys)))

    def scan(self, keys: KeyRange) -> Iterator[tuple[bytes, bytes]]:
        """See `Store.scan`."""
        options = ReadOptions()
        options.set_iterate_upper_bound(keys.end)
        # The list ends the iterator at once: RocksDB keeps its lock while one is alive.
        items = self._db.items(from_key=keys.start, read_opt=options)
        return iter(cast("list[tuple[bytes, bytes]]", list(items)))

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
        batch.put(_OFFSET_KEY, b"%d" % offset)
        self._db.write(batch)

    @property
    def offset(self) -> int | None:
        """See `Store.offset`."""
        stored: bytes | None = self._db.get(_OFFSET_KEY)
        return None if stored is None else int(stored)

    @property
    def size_bytes(self) -> int:
        """Bytes of the database's files on disk."""
        return int(self._db.property_int_value("rocksdb.total-sst-files-size") or 0)

    def clear(self) -> None:
        """See `Store.clear`."""
        self._db.close()
        shutil.rmtree(self._path)
        self._db = self._open()

    def close(self) -> None:
        """See `Store.close`."""
        self._db.close()

    def _open_sound(self) -> Rdict:
        try:
            db = self._open()
            stored: bytes | None = db.get(_FORMAT_KEY)
            if stored == self._format:
                return db
            db.close()
            cause = "it holds another record layout"
        except Exception as error:
            if "lock hold by" in str(error) or "While lock file" in str(error):
                raise StateInUseError(f"{self._path} is in use by another worker") from error
            cause = str(error)
        logger.warning("emptying the state in %s, to be restored: %s", self._path, cause)
        shutil.rmtree(self._path)
        return self._open()

    def _open(self) -> Rdict:
        fresh = not (self._path / "CURRENT").exists()
        self._path.mkdir(parents=True, exist_ok=True)
        db = Rdict(str(self._path), _options())
        if fresh:
            db.put(_FORMAT_KEY, self._format)
        return db


def _options() -> Options:
    tables = BlockBasedOptions()
    tables.set_bloom_filter(_BLOOM_BITS_PER_KEY, block_based=False)
    tables.set_block_cache(Cache(_BLOCK_CACHE_BYTES))
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(tables)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(2)
    options.set_paranoid_checks(True)
    options.set_keep_log_file_num(2)
    return options
