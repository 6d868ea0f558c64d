"""Charges written by confluent-kafka's own serializers, which know nothing of this project."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pool, timestamp_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message_factory import GetMessageClass

from streams.formats.decoders import decoder_of
from streams.kafka.schema_registry import SchemaRegistry

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.formats.schema import Decoder, SchemaId

Event = dict[str, Any]
Headers = list[tuple[str, str | bytes | None]]

REQUIRED: Final = ("id", "created", "amount", "currency", "card", "merchant")
_NAMES: Final = {str: "string", bool: "boolean", int: "long", float: "double"}
FORMATS: Final = ("avro", "protobuf", "json_schema")


class Serializers:
    """Writes events of one shape in each of the formats.

    Parameters
    ----------
    url
        Of the registry.
    example
        An event with all fields that there may be.
    required
        Fields that every event has.
    in_header
        Whether the schema is named in a header.
    """

    def __init__(
        self,
        url: str,
        example: Event,
        required: tuple[str, ...] = REQUIRED,
        *,
        in_header: bool = False,
    ) -> None:
        client = SchemaRegistryClient({"url": url})
        config = {"schema.id.serializer": header_schema_id_serializer} if in_header else {}
        avro = AvroSerializer(
            client, json.dumps(avro_schema(example, required)), lambda event, _: event, config
        )
        json_schema = JSONSerializer(
            json.dumps(_json_schema(example, required)), client, conf=config
        )
        message = protobuf_message(example, required)
        protobuf = ProtobufSerializer(message, client, config)
        self._of: dict[str, Callable[..., bytes | None]] = {
            "avro": avro,
            "json_schema": json_schema,
            "protobuf": lambda event, context: protobuf(message(**event), context),
        }

    def write(self, form: str, event: Event, topic: str = "charges") -> tuple[bytes, Headers]:
        """Return the payload of an event in a format, and the headers that it needs.

        A subject has schemas of one language, so each format has one of its own.
        """
        headers: Headers = []
        context = SerializationContext(f"{form}.{topic}", MessageField.VALUE, headers)
        value = self._of[form](event, context)
        assert value is not None
        return value, headers


def avro_schema(example: Event, required: tuple[str, ...] = REQUIRED) -> Event:
    fields: list[Event] = []
    for name, content in example.items():
        kind = _NAMES[type(content)]
        optional = {"name": name, "type": ["null", kind], "default": None}
        fields.append({"name": name, "type": kind} if name in required else optional)
    return {"type": "record", "name": "Charge", "namespace": "shop", "fields": fields}


def _json_schema(example: Event, required: tuple[str, ...]) -> Event:
    names = {str: "string", bool: "boolean", int: "integer", float: "number"}
    properties = {name: {"type": names[type(content)]} for name, content in example.items()}
    return {
        "title": "Charge", "type": "object",
        "properties": properties, "required": list(required),
    }  # fmt: skip


def protobuf_message(example: Event, required: tuple[str, ...] = REQUIRED) -> type[Any]:
    file = FileDescriptorProto(name="charge.proto", package="shop", syntax="proto3")
    message = file.message_type.add(name="Charge")
    kinds = {
        str: FieldDescriptorProto.TYPE_STRING, bool: FieldDescriptorProto.TYPE_BOOL,
        int: FieldDescriptorProto.TYPE_INT64, float: FieldDescriptorProto.TYPE_DOUBLE,
    }  # fmt: skip
    for number, (name, content) in enumerate(example.items(), 1):
        field = message.field.add(
            name=name, number=number, type=kinds[type(content)],
            label=FieldDescriptorProto.LABEL_OPTIONAL,
        )  # fmt: skip
        if name not in required:
            field.proto3_optional, field.oneof_index = True, len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{name}")
    return message_class(file, "shop.Charge")


def message_class(file: FileDescriptorProto, name: str) -> type[Any]:
    """Return the class of a message of a file, which may use Google's timestamps."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(name))


class Known:
    """The schemas of a registry, asked for at once (`streams.formats.schema.Schemas`)."""

    def __init__(self, url: str) -> None:
        self._registry = SchemaRegistry(url, {})
        self._decoders: dict[SchemaId, Decoder] = {}

    def settle(self) -> bool:
        return False

    def decoder(self, schema_id: SchemaId) -> Decoder:
        if schema_id not in self._decoders:
            schema = self._registry.schema(schema_id)
            assert schema is not None
            self._decoders[schema_id] = decoder_of(schema_id, schema)
        return self._decoders[schema_id]
