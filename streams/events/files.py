"""Files of events: JSON and CSV, plain or compressed, and Parquet.

An event is its JSON bytes here. Whether it is a valid one is not asked, as it is not asked of a
message in a topic.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from math import inf
from pathlib import Path
from typing import IO, Protocol

import msgspec
import orjson
import zstandard

from schemas.envelopes import event_in
from streams.errors import OperationalError
from streams.events.csv_events import csv_events
from streams.events.csv_text import CsvError
from streams.events.json_text import JsonTextError, events_in
from streams.events.packing import PACKING, UNPACKING
from streams.events.parquet import PARQUET_ERRORS, ParquetWriter, parquet_column, parquet_events

_EVENTS_AT_A_TIME = 10_000
_TEXT_ERRORS = (JsonTextError, CsvError)

PARQUET = ".parquet"
WRITABLE = (
    *(f".{text}{packed}" for text in ("jsonl", "ndjson", "json") for packed in UNPACKING),
    PARQUET,
)
"""What the name of a file may end in that events are written to."""

TABLES = tuple(f".csv{packed}" for packed in UNPACKING)

SUFFIXES = (*WRITABLE, *TABLES)
"""What the name of a file of events may end in."""


class FileError(OperationalError):
    """A file cannot be read or written; the message names it and says why."""


class Writer(Protocol):
    """A file that events are written to; what fails is raised at the latest when it is closed."""

    def write(self, events: list[bytes]) -> None:
        """Write events after those before."""

    def close(self) -> None:
        """Finish the file."""


def no_note(_: str) -> None:
    """Take no note of what a reader should know."""


def read_events(path: Path, note: Callable[[str], None] = no_note) -> Iterator[bytes]:
    """Yield the events of a file in their order.

    Parameters
    ----------
    path
        JSON (``.jsonl``, ``.ndjson``, ``.json``, each also with ``.gz`` and ``.zst``): a line an
        event, empty ones left out, or an array's element, or an object over several lines; or
        Parquet (``.parquet``), a row an event, nulls left out; or CSV (``.csv``, also with ``.gz``
        and ``.zst``) with our own field names in its header.
    note
        Is told what a reader should know, such as an encoding that was taken.

    Raises
    ------
    FileError
        When the file is missing, of another kind, damaged or cut off: at the latest where it is.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = Path(directory, "charges.jsonl.gz")
    ...     write_events(path, [b'{"id":"c1"}', b'{"id":"c2"}'])
    ...     list(read_events(path))
    [b'{"id":"c1"}', b'{"id":"c2"}']
    """
    kind = file_kind(path)
    with failing_clearly(path), path.open("rb") as stream:
        if kind == PARQUET:
            yield from parquet_events(stream)
        elif kind in TABLES:
            yield from csv_events(unpacked(stream, kind), note)
        else:
            yield from events_in(unpacked(stream, kind))


def read_times(path: Path, note: Callable[[str], None] = no_note) -> Iterator[float]:
    """Yield when each event of `read_events` was made, as it says, in the same order.

    Yields
    ------
    float
        Unix seconds; infinite where no valid time is given, so that there is no event.

    Raises
    ------
    FileError
        As `read_events`, unless what is damaged is a column of Parquet other than the time.
    """
    if file_kind(path) == PARQUET:
        with failing_clearly(path), path.open("rb") as stream:
            yield from map(_time, parquet_column(stream, "created"))
    else:
        yield from map(time_in, read_events(path, note))


def write_events(path: Path, events: Iterable[bytes]) -> None:
    """Write events to a file, its kind told by its name as in `read_events`; JSON as lines.

    Raises
    ------
    FileError
        When it cannot be written, or when Parquet has no place for an event.
    """
    remaining = iter(events)
    with event_writer(path) as writer:
        while batch := list(islice(remaining, _EVENTS_AT_A_TIME)):
            writer.write(batch)


@contextmanager
def event_writer(path: Path) -> Iterator[Writer]:
    """Open a file for `write_events` in parts; it is complete when the block ends.

    Raises
    ------
    FileError
        As in `write_events`.
    """
    kind = file_kind(path, WRITABLE)
    with failing_clearly(path), path.open("wb") as stream:
        writer: Writer = (
            ParquetWriter(stream)
            if kind == PARQUET
            else _LinesWriter(PACKING[_packing(kind)](stream))
        )
        try:
            yield writer
        finally:
            writer.close()


class _Timed(msgspec.Struct, gc=False):
    """All that is read of an event for its time."""

    created: float


_decode_time = msgspec.json.Decoder(_Timed).decode


class _LinesWriter:
    """Packs and writes in a thread of its own, while its caller makes the next events."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._thread = ThreadPoolExecutor(1, "writer")
        self._writing: Future[int] | None = None

    def write(self, events: list[bytes]) -> None:
        self._settle()
        self._writing = self._thread.submit(self._stream.write, b"\n".join([*events, b""]))

    def close(self) -> None:
        try:
            self._settle()
        finally:
            self._thread.shutdown()
            self._stream.close()

    def _settle(self) -> None:
        """Wait until what came last is written; raises why it is not."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()


def time_in(event: bytes) -> float:
    """Return the time that an event says it was made at, infinite where it says none."""
    try:
        return _time(_decode_time(event).created)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # other kinds of numbers, and what is no event
    try:
        fields = orjson.loads(event)
        return _time((event_in(fields) or fields)["created"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return inf


def _time(created: object) -> float:
    if isinstance(created, bool) or not isinstance(created, int | float):
        return inf
    return created if created >= 0 else inf


def file_kind(path: Path, suffixes: tuple[str, ...] = SUFFIXES) -> str:
    """Return what the name of a file ends in.

    Raises
    ------
    FileError
        When that is none of the suffixes.
    """
    for suffix in suffixes:
        if path.name.lower().endswith(suffix):
            return suffix
    raise FileError(f"{path}: expected a name that ends in {', '.join(suffixes)}")


def unpacked(stream: IO[bytes], kind: str) -> Iterator[bytes]:
    """Return the text of a file of some kind, in chunks."""
    return UNPACKING[_packing(kind)](stream)


def _packing(kind: str) -> str:
    return kind[kind.index(".", 1) :] if "." in kind[1:] else ""


@contextmanager
def failing_clearly(path: Path) -> Iterator[None]:
    """Raise what reading and writing a file raises as a `FileError` that names it."""
    try:
        yield
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from None
    except (EOFError, zlib.error, zstandard.ZstdError, *_TEXT_ERRORS, *PARQUET_ERRORS) as error:
        raise FileError(f"{path}: {error}") from None
