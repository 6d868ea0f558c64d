"""Decoders of schemas: whatever a payload is, it becomes JSON or is refused with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.rejected import InvalidEvent
from streams.formats.avro import avro_decoders
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
    if schema.kind not in _NAMES:
        return refusing(f"schema {schema_id} is {schema.kind}, which is not read here")
    name = f"schema {schema_id} ({_NAMES[schema.kind]})"
    try:
        if schema.kind == "AVRO":
            decode, decode_all = avro_decoders(schema)
        else:
            decode, decode_all = protobuf_decoder(schema), None
    except Exception as error:  # what libraries raise for a schema has no common base
        return refusing(f"{name} cannot be used: {_said(error)}")
    refuse_damage = _refusing_damage(name, decode)
    if decode_all is None:
        return Decoder(schema.kind, refuse_damage)
    return Decoder(schema.kind, _in_bulk(decode_all, refuse_damage))


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
        except Exception as error:  # nor has what they raise for anybody's bytes
            said = f"was not written by its {name}, or is damaged: {_said(error)}"
            return InvalidEvent("schema", f"payload: {said}")

    return lambda bodies: list(map(decode_or_refuse, bodies))


def _in_bulk(
    decode_all: Callable[[Sequence[bytes]], list[bytes | None]],
    decode_each: Callable[[Sequence[bytes]], list[bytes | InvalidEvent]],
) -> Callable[[Sequence[bytes]], list[bytes | InvalidEvent]]:
    """Return what reads payloads together, and again by itself each that cannot be read so."""

    def decode(bodies: Sequence[bytes]) -> list[bytes | InvalidEvent]:
        found = decode_all(bodies)
        return [
            decode_each([body])[0] if content is None else content
            for body, content in zip(bodies, found, strict=True)
        ]

    return decode


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:_CHARACTERS_MAX]
