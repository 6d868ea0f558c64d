"""How files of lines are packed: plain, gzip or zstd, to be read in chunks and written."""

import gzip
from collections.abc import Callable, Iterator, Mapping
from typing import IO, cast

import zstandard

_CHUNK_BYTES = 1 << 20

Chunks = Callable[[IO[bytes]], Iterator[bytes]]
Wrap = Callable[[IO[bytes]], IO[bytes]]


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


UNPACKING: Mapping[str, Chunks] = {"": _plain_chunks, ".gz": _gzip_chunks, ".zst": _zstd_chunks}
"""By the end of a name, how its chunks are read."""

PACKING: dict[str, Wrap] = {"": lambda stream: stream, ".gz": _gzipped, ".zst": _zstd}
"""By the end of a name, what is written to."""
