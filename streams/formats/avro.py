"""Avro: what a payload is by the schema that it was written by."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import orjson
from fastavro import parse_schema, schemaless_reader

from streams.formats.plain_values import plain_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from streams.formats.schema import Schema


def parsed_schema(schema: Schema) -> Any:
    """Return a schema as fastavro takes it; raises what fastavro raises where it is none."""
    named: dict[str, Any] = {}
    for _, text in schema.references:
        parse_schema(orjson.loads(text), named_schemas=named)
    return parse_schema(orjson.loads(schema.text), named_schemas=named)


def avro_decoder(schema: Schema) -> Callable[[bytes], bytes]:
    """Return what makes JSON of payloads.

    A union's value stands alone, an enumeration's is its name, and a field that is null is missing.
    Raises, as what it returns does, whatever fastavro raises.
    """
    parsed = parsed_schema(schema)

    def decode(body: bytes) -> bytes:
        stream = BytesIO(body)
        content = schemaless_reader(stream, parsed)
        if rest := len(body) - stream.tell():
            raise ValueError(f"{rest} bytes are left over")
        if isinstance(content, dict):
            content = {name: value for name, value in content.items() if value is not None}
        return plain_json(content)

    return decode
