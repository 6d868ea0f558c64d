"""Decoders of schemas: whatever a payload is, it becomes JSON or is refused with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.rejected import InvalidEvent
from streams.formats.avro import avro_decoder
from streams.formats.protobuf import protobuf_decoder
from streams.formats.schema import Decoder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.formats.schema import Schema, SchemaId, SchemaKind

_NAMES: Final[dict[SchemaKind, str]] = {
    "AVRO": "Avro",
    "PROTOBUF": "Protobuf",
    "JSON": "JSON Schema",
}
_CHARACTERS_MAX: Final = 200


def decoder_of(schema_id: SchemaId, schema: Schema) -> Decoder:
    """Return what decodes the payloads of a schema, or refuses them where it cannot be used.

    A payload of JSON Schema is JSON, and is not checked against it: events are validated anyhow,
    and in more detail.
    """
    if schema.kind == "JSON":
        return Decoder("JSON", list)
    make = avro_decoder if schema.kind == "AVRO" else protobuf_decoder
    name = f"schema {schema_id} ({_NAMES[schema.kind]})"
    try:
        decode = make(schema)
    except Exception as error:
        return refusing(f"{name} cannot be used: {_said(error)}")
    return Decoder(schema.kind, _refusing_damage(name, decode))


def refusing(why: str) -> Decoder:
    """Return what refuses all payloads.

    Examples
    --------
    >>> str(refusing("the schema registry does not know schema 7").decode([b""])[0])
    'payload: the schema registry does not know schema 7'
    """
    error = InvalidEvent("schema", f"payload: {why}")
    return Decoder(None, lambda bodies: [error] * len(bodies))


def _refusing_damage(
    name: str, decode: Callable[[bytes], bytes]
) -> Callable[[Sequence[bytes]], list[bytes | InvalidEvent]]:
    def decode_or_refuse(body: bytes) -> bytes | InvalidEvent:
        try:
            return decode(body)
        except Exception as error:
            said = f"was not written by its {name}, or is damaged: {_said(error)}"
            return InvalidEvent("schema", f"payload: {said}")

    return lambda bodies: list(map(decode_or_refuse, bodies))


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:_CHARACTERS_MAX]
