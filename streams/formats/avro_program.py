"""Programs of Avro schemas, by which payloads are read many times faster than one by one.

They are for schemas of records, texts, numbers, times, enumerations and unions of them: all that
most events need. The library that reads any schema asks its stream for every byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from streams.formats import avro_kernel as kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_VALUES: Final = {
    "string": kernel.STRING,
    "boolean": kernel.BOOL,
    "int": kernel.LONG,
    "long": kernel.LONG,
    "double": kernel.DOUBLE,
    "float": kernel.FLOAT,
}
_TIMES: Final = {
    "timestamp-millis": 1_000,
    "local-timestamp-millis": 1_000,
    "timestamp-micros": 1_000_000,
    "local-timestamp-micros": 1_000_000,
}
_FIELDS_MAX: Final = 0xFFFF

_encode: Final = msgspec.json.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(dict[str, Any]).decode


class _NoProgramError(Exception):
    """A schema needs what programs have not."""


def bulk_decoder(
    schema: Any, named: dict[str, Any]
) -> Callable[[Sequence[bytes]], list[bytes | None]] | None:
    """Return what makes JSON of N payloads, `None` of each that it cannot read.

    Parameters
    ----------
    schema
        As fastavro has parsed it.
    named
        Types that it refers to, by name.

    Returns
    -------
    callable
        `None` for a schema that there is no program for.
    """
    program = _Program(named)
    try:
        program.add_whole(schema)
    except _NoProgramError:
        return None
    steps = np.ascontiguousarray(np.array(program.steps, np.int64).T)
    table = np.array(program.table, np.int64)
    texts = np.frombuffer(bytes(program.texts), np.uint8)
    seconds = np.empty(1)
    scratch = (seconds, seconds.view(np.uint8))

    def decode(bodies: Sequence[bytes]) -> list[bytes | None]:
        starts = np.zeros(len(bodies) + 1, np.int64)
        np.cumsum([len(body) for body in bodies], out=starts[1:])
        data = np.frombuffer(b"".join(bodies), np.uint8)
        out = np.empty(len(bodies) * program.bytes_max + len(data), np.uint8)
        ends = np.empty(len(bodies), np.int64)
        kernel.transcode(data, starts, steps, table, texts, out, ends, scratch)
        return _as_json(out.data, ends.tolist())

    decode([b""])  # compiles the kernel, where that was not done before
    return decode


def _as_json(written: memoryview, ends: list[int]) -> list[bytes | None]:
    found: list[bytes | None] = []
    start = 0
    for end in ends:
        try:
            found.append(None if end < 0 else _encode(_unpack(written[start:end])))
        except (msgspec.DecodeError, UnicodeDecodeError):  # a text that is none
            found.append(None)
        start = max(start, end)
    return found


class _Program:
    """The steps of a schema, as `streams.formats.avro_kernel` says.

    Attributes
    ----------
    bytes_max
        More than its steps ever write, beside what they copy of a payload.
    """

    def __init__(self, named: dict[str, Any]) -> None:
        self.steps: list[tuple[int, int, int]] = []
        self.table: list[int] = [0]
        self.texts = bytearray(b"\0")
        self.bytes_max = 0
        self._named = named
        self._within: list[str] = []

    def add_whole(self, schema: Any) -> None:
        """Add the steps of a record whose fields are missing where they are null."""
        if not isinstance(schema, dict) or schema.get("type") != "record":
            raise _NoProgramError
        self._add_record(schema, is_whole=True)

    def _add(self, schema: Any, *, may_drop: bool = False) -> None:
        if isinstance(schema, str) and schema in self._named:
            schema = self._named[schema]
        if isinstance(schema, list):
            self._add_union(schema, may_drop=may_drop)
            return
        described = schema if isinstance(schema, dict) else {"type": schema}
        kind, logical = described["type"], described.get("logicalType")
        if kind == "long" and logical in _TIMES:
            self._step(kernel.TIME, _TIMES[logical], writes=kernel.NUMBER_BYTES)
        elif logical is not None:
            raise _NoProgramError
        elif kind == "record":
            self._add_record(described)
        elif kind == "enum":
            self._add_enum(described["symbols"])
        elif kind == "null":
            self._step(kernel.DROP if may_drop else kernel.NIL, writes=1)
        elif isinstance(kind, str) and kind in _VALUES:
            self._step(_VALUES[kind], writes=kernel.NUMBER_BYTES)
        else:
            raise _NoProgramError

    def _add_record(self, schema: dict[str, Any], *, is_whole: bool = False) -> None:
        name, fields = schema["name"], schema["fields"]
        if name in self._within or len(fields) > _FIELDS_MAX:
            raise _NoProgramError
        self._within.append(name)
        self._step(kernel.RECORD, len(fields), writes=kernel.MAP_HEAD_BYTES)
        for field in fields:
            start, size = self._text(field["name"])
            self._step(kernel.KEY, start, size, writes=size)
            self._add(field["type"], may_drop=is_whole)
        self._within.pop()

    def _add_union(self, branches: list[Any], *, may_drop: bool) -> None:
        first = len(self.table)
        self.table.extend([0] * len(branches))
        self._step(kernel.UNION, first, len(branches))
        ends = []
        for place, branch in enumerate(branches):
            self.table[first + place] = len(self.steps)
            self._add(branch, may_drop=may_drop)
            if place < len(branches) - 1:
                ends.append(len(self.steps))
                self._step(kernel.GO_ON)
        for end in ends:
            self.steps[end] = (kernel.GO_ON, len(self.steps), 0)

    def _add_enum(self, symbols: list[str]) -> None:
        texts = [self._text(symbol) for symbol in symbols]
        first = len(self.table)
        self.table.extend(number for text in texts for number in text)
        self._step(kernel.ENUM, first, len(symbols), writes=max(size for _, size in texts))

    def _step(self, code: int, first: int = 0, second: int = 0, writes: int = 0) -> None:
        self.steps.append((code, first, second))
        self.bytes_max += writes

    def _text(self, text: str) -> tuple[int, int]:
        """Put a text among the texts; return where it begins, and its bytes."""
        written = msgspec.msgpack.encode(text)
        start = len(self.texts)
        self.texts += written
        return start, len(written)
