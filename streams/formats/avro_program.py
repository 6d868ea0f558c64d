"""Programs of Avro schemas, by which payloads are read many times faster than one by one.

They are for schemas of records, texts, numbers, times, enumerations and unions of them: all that
most events need. The library that reads any schema asks its stream for every byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

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
    double, single = np.zeros(1), np.zeros(1, np.float32)
    scratch = (double, single, double.view(np.uint8), single.view(np.uint8))

    def decode(bodies: Sequence[bytes]) -> list[bytes | None]:
        count = len(bodies)
        starts = np.zeros(count + 1, np.int64)
        np.cumsum([len(body) for body in bodies], out=starts[1:])
        data = np.frombuffer(b"".join(bodies), np.uint8)
        size = count * program.bytes_max + len(data) * kernel.ESCAPED_BYTES
        out, hard = np.empty(size, np.uint8), np.empty(count * program.numbers)
        ends, hard_ends = np.empty(count, np.int64), np.empty(count, np.int64)
        kernel.transcode(data, starts, steps, table, texts, out, ends, hard, hard_ends, scratch)
        written = out[: max(ends.max(initial=0), 0)].tobytes()
        return _cut(written, ends.tolist(), hard.tolist(), hard_ends.tolist())

    return decode


def load_kernel() -> None:
    """Load the kernel, which takes a moment, or a while where it has to be compiled."""
    field = {"name": "a", "type": "string"}
    decode = bulk_decoder({"type": "record", "name": "R", "fields": [field]}, {})
    assert decode is not None
    decode([b""])


def _cut(
    written: bytes, ends: list[int], hard: list[float], hard_ends: list[int]
) -> list[bytes | None]:
    """Return the JSON of each payload out of that of all."""
    found: list[bytes | None] = []
    start = first = 0
    for end, last in zip(ends, hard_ends, strict=True):
        if end < 0:
            found.append(None)
        else:
            text = b"{" + written[start + 1 : end] + b"}"
            found.append(text if first == last else _filled(text, hard[first:last]))
            start = end
        first = last
    return found


def _filled(text: bytes, numbers: list[float]) -> bytes:
    """Return JSON with the numbers that the kernel did not write."""
    before, *parts = text.split(b"%c" % kernel.HARD)
    given = zip(numbers, parts, strict=True)
    return before + b"".join(orjson.dumps(number) + part for number, part in given)


class _Program:
    """The steps of a schema, as `streams.formats.avro_kernel` says.

    Attributes
    ----------
    bytes_max
        More than its steps ever write, beside what they copy of a payload.
    numbers
        More than it has numbers with decimals.
    """

    def __init__(self, named: dict[str, Any]) -> None:
        self.steps: list[tuple[int, int, int]] = []
        self.table: list[int] = [0]
        self.texts = bytearray(b"\0")
        self.bytes_max = 1
        self.numbers = 1
        self._named = named
        self._within: list[str] = []

    def add_whole(self, schema: Any) -> None:
        """Add the steps of a record whose fields are missing where they are null."""
        is_record = isinstance(schema, dict) and schema.get("type") == "record"
        if not is_record or not schema["fields"]:
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
            self.numbers += 1
        elif logical is not None:
            raise _NoProgramError
        elif kind == "record":
            self._add_record(described)
        elif kind == "enum":
            self._add_enum(described["symbols"])
        elif kind == "null":
            if may_drop:
                self._step(kernel.DROP)
            else:
                self._write(kernel.WRITE, b"null")
        elif isinstance(kind, str) and kind in _VALUES:
            self._step(_VALUES[kind], writes=kernel.NUMBER_BYTES)
            self.numbers += 1
        else:
            raise _NoProgramError

    def _add_record(self, schema: dict[str, Any], *, is_whole: bool = False) -> None:
        name, fields = schema["name"], schema["fields"]
        if name in self._within:
            raise _NoProgramError
        self._within.append(name)
        # Of the whole, any field may be left out: a comma is before each, and cut off in the end.
        for place, field in enumerate(fields):
            before = b"," if place or is_whole else b"{"
            self._write(kernel.KEY, before + orjson.dumps(field["name"]) + b":")
            self._add(field["type"], may_drop=is_whole)
        if not is_whole:
            self._write(kernel.WRITE, b"}" if fields else b"{}")
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
        texts = [self._text(orjson.dumps(symbol)) for symbol in symbols]
        first = len(self.table)
        self.table.extend(number for text in texts for number in text)
        self._step(kernel.ENUM, first, len(symbols), writes=max(size for _, size in texts))

    def _step(self, code: int, first: int = 0, second: int = 0, writes: int = 0) -> None:
        self.steps.append((code, first, second))
        self.bytes_max += writes

    def _write(self, code: int, text: bytes) -> None:
        start, size = self._text(text)
        self._step(code, start, size, writes=size)

    def _text(self, text: bytes) -> tuple[int, int]:
        """Put a text among the texts; return where it begins, and its bytes."""
        start = len(self.texts)
        self.texts += text
        return start, len(text)
