"""Scored events in the framing of a schema registry, and what they are as JSON again."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import orjson
from fastavro import schemaless_writer

from schemas.avro import CARRIED
from streams.formats.avro import parsed_schema
from streams.formats.framing import prefix

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.formats.schema import Schema


def scored_encoder(schema: Schema, number: int) -> Callable[[bytes], bytes]:
    """Return what writes the JSON of a scored event by a schema of `schemas`.

    Parameters
    ----------
    schema
        In Avro or JSON Schema.
    number
        Under which the registry has it.
    """
    head = prefix(number)
    if schema.kind == "JSON":
        return lambda event: head + event
    parsed = parsed_schema(schema)
    own = frozenset(field["name"] for field in parsed["fields"]) - {CARRIED}

    def encode(event: bytes) -> bytes:
        record = orjson.loads(event)
        carried = {name: orjson.dumps(record.pop(name)).decode() for name in record.keys() - own}
        stream = BytesIO()
        stream.write(head)
        schemaless_writer(stream, parsed, {**record, CARRIED: carried or None})
        return stream.getvalue()

    return encode


def plain_scored(event: bytes) -> bytes:
    """Return the JSON of a scored event, read of Avro, as it was before.

    >>> plain_scored(b'{"charge":"c1","carried":{"order":"[7]"}}')
    b'{"charge":"c1","order":[7]}'
    """
    record = orjson.loads(event)
    carried = record.pop(CARRIED, {})
    record = _without_nulls(record)
    return orjson.dumps(record | {name: orjson.Fragment(text) for name, text in carried.items()})


def _without_nulls(content: Any) -> Any:
    """Return content without fields that are null: what may be absent is, in Avro."""
    match content:
        case dict():
            given = ((name, value) for name, value in content.items() if value is not None)
            return {name: _without_nulls(value) for name, value in given}
        case list():
            return [_without_nulls(each) for each in content]
    return content
