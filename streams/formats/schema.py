"""Schemas of a registry, and what decodes the payloads that were written by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from schemas.rejected import InvalidEvent

SchemaId = int | UUID
"""The number of a schema in its registry, or its globally unique id."""

SchemaKind = Literal["AVRO", "PROTOBUF", "JSON"]
"""The languages that are read; a registry may have others."""


class Schema(NamedTuple):
    """A schema as a registry has it.

    Attributes
    ----------
    kind
        Its language.
    text
        Of Avro and JSON Schema their JSON; of Protobuf a FileDescriptorProto in base64.
    references
        Name and text of the schemas that it refers to, each behind those that it refers to itself.
    """

    kind: SchemaKind
    text: str
    references: tuple[tuple[str, str], ...] = ()


class Decoder(NamedTuple):
    """Decodes the payloads of one schema.

    Attributes
    ----------
    kind
        Language of the schema; `None` where it cannot be had, so that every payload is refused.
    decode
        Returns the JSON of what is behind the schema's id, or why there is none, of N payloads.
    """

    kind: SchemaKind | None
    decode: Callable[[Sequence[bytes]], list[bytes | InvalidEvent]]


class Schemas(Protocol):
    """Decoders by the ids of their schemas."""

    def settle(self) -> bool:
        """Take in what was asked for, and return whether anything has come."""

    def decoder(self, schema_id: SchemaId) -> Decoder | None:
        """Return the decoder of a schema; `None` while it is not there, and is being asked for."""
