"""Parquet files of events: JSON to columns and back."""

from __future__ import annotations

from itertools import repeat
from typing import IO, TYPE_CHECKING, Any

import msgspec
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import inspect as types

from schemas.charge import Charge
from schemas.dispute import Dispute
from schemas.outcome import Outcome
from streams.events.parquet_values import is_plain, json_values

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

_ROWS_AT_A_TIME = 10_000

_INTEGERS = {int, type(None)}

PARQUET_ERRORS = (pa.ArrowException, orjson.JSONEncodeError)
"""What reading and writing raise; arrow's own are also KeyError, TypeError and the like."""


def parquet_events(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield each row as a JSON object of its columns (`json_values`), nulls left out."""
    file = _open(stream)
    is_plain_file = all(is_plain(field.type) for field in file.schema_arrow)
    for batch in file.iter_batches(_ROWS_AT_A_TIME):
        names = batch.schema.names
        columns = zip(batch.columns, names, strict=True)
        rows = zip(*(json_values(column, name) for column, name in columns), strict=True)
        if is_plain_file and not any(column.null_count for column in batch.columns):
            yield from (orjson.dumps(dict(zip(names, row, strict=True))) for row in rows)
            continue
        for row in rows:
            fields = zip(names, row, strict=True)
            yield orjson.dumps({name: value for name, value in fields if value is not None})


def parquet_rows(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Yield what each row of `parquet_events` has, as objects of Python."""
    file = _open(stream)
    if not all(is_plain(field.type) for field in file.schema_arrow):
        yield from map(orjson.loads, parquet_events(stream))  # times and the like as their texts
        return
    for batch in file.iter_batches(_ROWS_AT_A_TIME):
        names = batch.schema.names
        columns = zip(batch.columns, names, strict=True)
        rows = zip(*(json_values(column, name) for column, name in columns), strict=True)
        yield from (dict(zip(names, row, strict=True)) for row in rows)


def parquet_names(stream: IO[bytes]) -> list[str]:
    """Return the names of the columns."""
    return list(_open(stream).schema_arrow.names)


def parquet_column(stream: IO[bytes], name: str) -> Iterator[object]:
    """Yield what each row of `parquet_events` has under a name, `None` for nothing."""
    file = _open(stream)
    if name not in file.schema_arrow.names:
        yield from repeat(None, file.metadata.num_rows)
        return
    for batch in file.iter_batches(_ROWS_AT_A_TIME, columns=[name]):
        yield from json_values(batch.columns[-1], name)


def _open(stream: IO[bytes]) -> pq.ParquetFile:
    # The nanoseconds of the old kind of timestamps end in the year 2262, and begin again.
    return pq.ParquetFile(stream, coerce_int96_timestamp_unit="us")


class ParquetWriter:
    """Writes events as rows.

    The fields that are known have their columns and types; others are those of the first events.

    Parameters
    ----------
    stream
        Where to; it is left open.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._schema = pa.schema([])
        self._writer: pq.ParquetWriter | None = None
        self._written = 0

    def write(self, events: list[bytes]) -> None:
        """Write a batch.

        Raises
        ------
        pyarrow.ArrowException
            Names the event that is no object, or the field that has no such column.
        """
        if not events:  # they would not tell what those to come are
            return
        rows = [self._row(event, number) for number, event in enumerate(events, self._written)]
        if self._writer is None:
            self._writer = self._begin(rows)
        if unknown := {name for row in rows for name in row} - set(self._schema.names):
            raise pa.ArrowInvalid(f"{min(unknown)}: no such field in the first events")
        columns = [_column([row.get(field.name) for row in rows], field) for field in self._schema]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        self._written += len(events)

    def close(self) -> None:
        """Finish the file; one without events is a file of charges."""
        if self._writer is None:
            self._writer = self._begin([])
        self._writer.close()

    def _begin(self, rows: list[dict[str, Any]]) -> pq.ParquetWriter:
        self._schema = _schema(rows)
        return pq.ParquetWriter(self._stream, self._schema)

    @staticmethod
    def _row(event: bytes, number: int) -> dict[str, Any]:
        try:
            row = orjson.loads(event)
        except orjson.JSONDecodeError as error:
            raise pa.ArrowInvalid(f"event {number}: {error}") from None
        if not isinstance(row, dict):
            raise pa.ArrowInvalid(f"event {number}: expected an object")
        return row


def _schema(rows: list[dict[str, Any]]) -> pa.Schema:
    given = dict.fromkeys(name for row in rows for name in row)
    known = _columns(_event_type(given))
    own = [name for name in given if name not in known]
    others = [(name, pa.array([row.get(name) for row in rows]).type) for name in own]
    return pa.schema([*known.items(), *others])


def _event_type(given: Container[str]) -> type[msgspec.Struct]:
    if "charge" not in given:
        return Charge
    is_outcome = "outcome" in given and "reason" not in given and "fraud_type" not in given
    return Outcome if is_outcome else Dispute


def _columns(event: type[msgspec.Struct]) -> dict[str, pa.DataType]:
    fields = types.type_info(event)
    assert isinstance(fields, types.StructType)
    return {field.name: _arrow(field.type) for field in fields.fields}


def _arrow(type_: types.Type) -> pa.DataType:
    match type_:
        case types.Metadata(type=inner):
            return _arrow(inner)
        case types.UnionType(types=(first, *_)):
            return _arrow(first)
        case types.IntType():
            return pa.int64()
        case types.FloatType():
            return pa.float64()
        case types.BoolType():
            return pa.bool_()
        case _:
            return pa.string()


def _column(values: list[Any], field: pa.Field[Any]) -> pa.Array[Any]:
    # Arrow would cut a fraction off without a word.
    if pa.types.is_integer(field.type) and not set(map(type, values)) <= _INTEGERS:
        raise pa.ArrowInvalid(f"{field.name}: expected integers")
    try:
        column: pa.Array[Any] = pa.array(values, field.type)
    except (pa.ArrowException, OverflowError) as error:
        raise pa.ArrowInvalid(f"{field.name}: {error}") from None
    return column
