"""Avro: what a payload is by the schema that it was written by."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import orjson
from fastavro import parse_schema, schemaless_reader

from streams.formats.avro_program import bulk_decoder
from streams.formats.plain_values import plain_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from streams.formats.schema import Schema

    Decode = Callable[[bytes], bytes]
    DecodeAll = Callable[[Sequence[bytes]], list[bytes | None]]


def parsed_schema(schema: Schema) -> Any:
    """Return a schema as fastavro takes it; raises what fastavro raises where it is none."""
    return _parsed(schema, {})


def avro_decoders(schema: Schema) -> tuple[Decode, DecodeAll | None]:
    """Return what makes JSON of a payload, and what does of many, where there is that.

    A union's value stands alone, an enumeration's is its name, and a field of the whole record that
    is null is missing. Raises, as the first of them does, whatever fastavro raises.
    """
    named: dict[str, Any] = {}
    parsed = _parsed(schema, named)

    def decode(body: bytes) -> bytes:
        stream = BytesIO(body)
        content = schemaless_reader(stream, parsed)
        if rest := len(body) - stream.tell():
            raise ValueError(f"{rest} bytes are left over")
        if isinstance(content, dict):
            content = {name: value for name, value in content.items() if value is not None}
        return plain_json(content)

    return decode, bulk_decoder(parsed, named)


def _parsed(schema: Schema, named: dict[str, Any]) -> Any:
    for _, text in schema.references:
        parse_schema(orjson.loads(text), named_schemas=named)
    return parse_schema(orjson.loads(schema.text), named_schemas=named)
