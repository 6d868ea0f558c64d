"""Files of events: JSON Lines, plain or compressed, and Parquet.

An event is its JSON bytes here. Whether it is a valid one is not asked, as it is not asked of a
message in a topic.
"""

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from math import inf
from pathlib import Path
from typing import IO, Protocol, cast

import msgspec
import orjson
import zstandard

from streams.errors import OperationalError
from streams.parquet import PARQUET_ERRORS, ParquetWriter, parquet_column, parquet_events

_CHUNK_BYTES = 1 << 20
_EVENTS_AT_A_TIME = 10_000

Chunks = Callable[[IO[bytes]], Iterator[bytes]]
Wrap = Callable[[IO[bytes]], IO[bytes]]


class FileError(OperationalError):
    """A file cannot be read or written; the message names it and says why."""


class Writer(Protocol):
    """A file that events are written to; what fails is raised at the latest when it is closed."""

    def write(self, events: list[bytes]) -> None:
        """Write events after those before."""

    def close(self) -> None:
        """Finish the file."""


def read_events(path: Path) -> Iterator[bytes]:
    """Yield the events of a file in their order.

    Parameters
    ----------
    path
        JSON Lines (``.jsonl``, ``.jsonl.gz``, ``.jsonl.zst``), a line an event, empty ones left
        out; or Parquet (``.parquet``), a row an event, nulls left out.

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
    kind = _kind(path)
    with _failing_clearly(path), path.open("rb") as stream:
        if kind == _PARQUET:
            yield from parquet_events(stream)
        else:
            yield from _lines(_READERS[kind](stream))


def read_times(path: Path) -> Iterator[float]:
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
    if _kind(path) == _PARQUET:
        with _failing_clearly(path), path.open("rb") as stream:
            yield from map(_time, parquet_column(stream, "created"))
    else:
        yield from map(_time_in, read_events(path))


def write_events(path: Path, events: Iterable[bytes]) -> None:
    """Write events to a file, its kind told by its name as in `read_events`.

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
    kind = _kind(path)
    with _failing_clearly(path), path.open("wb") as stream:
        writer: Writer = (
            ParquetWriter(stream) if kind == _PARQUET else _LinesWriter(_WRITERS[kind](stream))
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


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if event := line.removesuffix(b"\r"):
                yield event
    if event := rest.removesuffix(b"\r"):
        yield event


def _time_in(event: bytes) -> float:
    try:
        return _time(_decode_time(event).created)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # other kinds of numbers, and what is no event
    try:
        return _time(orjson.loads(event)["created"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return inf


def _time(created: object) -> float:
    if isinstance(created, bool) or not isinstance(created, int | float):
        return inf
    return created if created >= 0 else inf


def _plain_chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk


def _gzip_chunks(stream: IO[bytes]) -> Iterator[bytes]:
    with gzip.open(stream) as unpacked:
        while chunk := unpacked.read(_CHUNK_BYTES):
            yield chunk


def _zstd_chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """Unpack frame by frame, since the reader of the library takes a cut file for a whole one."""
    frame = None
    for chunk in _plain_chunks(stream):
        packed = chunk
        while packed:
            frame = frame or zstandard.ZstdDecompressor().decompressobj()
            yield frame.decompress(packed)
            packed = b""
            if frame.eof:
                packed, frame = frame.unused_data, None
    if frame is not None:
        raise EOFError("the last frame is cut off")


def _gzipped(stream: IO[bytes]) -> IO[bytes]:
    # Without name and time, so that the same events make the same file. Of a backtest's 450 MB the
    # highest level, which is the default, makes 41 MB in place of 55, in six times the time.
    file = gzip.GzipFile(filename="", fileobj=stream, mode="wb", mtime=0, compresslevel=3)
    return cast("IO[bytes]", file)


def _zstd(stream: IO[bytes]) -> IO[bytes]:
    return zstandard.ZstdCompressor().stream_writer(stream, closefd=False)


_PARQUET = ".parquet"
_READERS: Mapping[str, Chunks] = {
    ".jsonl": _plain_chunks,
    ".jsonl.gz": _gzip_chunks,
    ".jsonl.zst": _zstd_chunks,
}
_WRITERS: Mapping[str, Wrap] = {
    ".jsonl": lambda stream: stream,
    ".jsonl.gz": _gzipped,
    ".jsonl.zst": _zstd,
}
SUFFIXES = (*_READERS, _PARQUET)


def _kind(path: Path) -> str:
    for suffix in SUFFIXES:
        if path.name.endswith(suffix):
            return suffix
    raise FileError(f"{path}: expected a name that ends in {', '.join(SUFFIXES)}")


@contextmanager
def _failing_clearly(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from None
    except (EOFError, zlib.error, zstandard.ZstdError, *PARQUET_ERRORS) as error:
        raise FileError(f"{path}: {error}") from None
