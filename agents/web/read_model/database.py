"""The database of the read model: where it is, how it is opened, and whether it can be read."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Engine, create_engine, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from agents.settings.sources import SettingsError
from agents.web.read_model import tables
from streams.errors import OperationalError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection
    from sqlalchemy.engine import URL

    from agents.settings.schema import Settings

FRESH_AS_OF: Final = "fresh_as_of"
VERSION: Final = "schema_version"
COMPLETE: Final = "is_complete"
"""Names in the table `meta`: up to which time all is in that was committed, Unix seconds; of which
version the tables are; and, once it is there, that they have been built."""

STALE_AFTER_S: Final = 30.0
"""After which a read model that is not brought up to date is none to answer by."""

SCHEMA: Final = "chargewatch_read_model"
"""Where the tables are in PostgreSQL, which others may use as well."""

_BUSY_MS: Final = 10_000
_PRAGMAS: Final = (
    f"busy_timeout = {_BUSY_MS}",
    "journal_mode = WAL",
    "wal_autocheckpoint = 20000",
    "synchronous = NORMAL",  # what a power failure takes is read again
    "temp_store = MEMORY",
)
_OF_A_WRITER: Final = ("cache_size = -262144",)  # in KB: what most rows are added to stays in it
_OF_A_READER: Final = ("cache_size = -16384", "mmap_size = 1073741824", "query_only = ON")


class ReadModelError(OperationalError):
    """The read model cannot be used; the message says why and what to do."""


def database_url(settings: Settings) -> URL:
    """Return where the read model of an installation is.

    Raises
    ------
    SettingsError
        When it is an address of no database that is taken.
    """
    written = settings.read_model_url
    if not written:
        return make_url(f"sqlite:///{settings.state_dir / 'read_model.sqlite'}")
    try:
        url = make_url(written)
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise _wrong_url() from None
    if url.get_backend_name() not in {"sqlite", "postgresql"} or not url.database:
        raise _wrong_url()
    return url.set(drivername="postgresql+psycopg") if _is_postgresql(url) else url


def _wrong_url() -> SettingsError:
    return SettingsError(
        "read_model_url: expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"
    )


def open_engine(url: URL, *, is_writer: bool = False) -> Engine:
    """Return the way to a database; only a writer makes one where none is.

    Raises
    ------
    SettingsError
        When the driver of PostgreSQL is not installed.
    """
    if _is_postgresql(url):
        options = f"-csearch_path={SCHEMA}"
        # That of a writer holds a lock as long as it is open.
        pool: dict[str, Any] = {"poolclass": NullPool} if is_writer else {"pool_pre_ping": True}
        if not is_writer:
            options += " -cdefault_transaction_read_only=on"
        try:
            return create_engine(url, connect_args={"options": options}, **pool)
        except ModuleNotFoundError:
            raise SettingsError(
                "read_model_url: PostgreSQL needs its driver: "
                "`pip install 'chargewatch[postgresql]'`"
            ) from None
    mode = "rwc" if is_writer else "rw"
    if is_writer and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    in_uri = url.set(database=f"file:{url.database}", query={"mode": mode, "uri": "true"})
    engine = create_engine(in_uri)
    _set_up_sqlite(engine, is_writer=is_writer)
    return engine


def _set_up_sqlite(engine: Engine, *, is_writer: bool) -> None:
    """Have transactions begin where they are said to, so that a reader sees one state of all."""

    def connect(connection: Any, _: object) -> None:
        connection.isolation_level = None
        for pragma in _PRAGMAS + (_OF_A_WRITER if is_writer else _OF_A_READER):
            connection.execute(f"PRAGMA {pragma}")

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")

    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", begin)


def _is_postgresql(url: URL) -> bool:
    return url.get_backend_name() == "postgresql"


class ReadModel:
    """The read model as those have it who ask it: any number of processes at a time.

    Parameters
    ----------
    url
        Where it is (`database_url`).
    """

    def __init__(self, url: URL) -> None:
        self._engine = open_engine(url)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one state of all tables.

        Raises
        ------
        ReadModelError
            When there is no read model, or none of this version.
        """
        try:
            with self._engine.connect() as connection, connection.begin():
                version = meta_value(connection, VERSION)
                if version != str(tables.SCHEMA_VERSION):
                    raise ReadModelError(
                        "the read model is of another version; `chargewatch console` of this "
                        "version builds it again"
                    )
                yield connection
        except DBAPIError as error:
            raise ReadModelError(
                "there is no read model to ask: it is kept by `chargewatch console`, or "
                f"`chargewatch read-model` ({type(error.orig).__name__})"
            ) from error

    def close(self) -> None:
        """Disconnect."""
        self._engine.dispose()


def fresh_as_of(connection: Connection) -> float | None:
    """Return the time up to which all that was committed is in, `None` while it is first built."""
    value = meta_value(connection, FRESH_AS_OF)
    return None if value is None else float(value)


def is_fresh(connection: Connection) -> bool:
    """Return whether it is brought up to date."""
    at = fresh_as_of(connection)
    return at is not None and time.time() - at < STALE_AFTER_S


def has_reached(connection: Connection, topic: str, partition: int, offset: int) -> bool:
    """Return whether a message is in: what somebody has just written can then be seen."""
    place = tables.positions.c
    found = connection.scalar(
        select(place.next_offset).where(place.topic == topic, place.partition == partition)
    )
    return found is not None and found > offset


def meta_value(connection: Connection, name: str) -> str | None:
    """Return what is known of the whole by a name."""
    where = tables.meta.c.name == name
    value: str | None = connection.scalar(select(tables.meta.c.value).where(where))
    return value
