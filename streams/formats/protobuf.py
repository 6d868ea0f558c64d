"""Protobuf: what a payload is by the descriptor of its message.

Fields have the names they have in the `.proto` file. Of those without presence (`optional` is not
written) a number and a truth value that are not set are 0 and false, as the language has it; all
others that are not set are missing, and so is an empty text. A value of an enumeration is its name,
without the name of the enumeration where all begin with it; one that says UNSPECIFIED is missing.
"""

from __future__ import annotations

from base64 import b64decode
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec
from google.protobuf import descriptor_pool, json_format, struct_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message_factory import GetMessageClass
from msgspec import UNSET

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from google.protobuf.descriptor import Descriptor, EnumDescriptor, FileDescriptor
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message import Message

    from streams.formats.schema import Schema

    Convert = Callable[[Any], object]

_GOOGLE: Final = "google/"
_OWN_FILE: Final = "schema.proto"
_TIMES: Final = frozenset({"google.protobuf.Timestamp", "google.protobuf.Duration"})
_WRAPPERS: Final = frozenset(
    f"google.protobuf.{kind}Value"
    for kind in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)
_STRUCTS: Final = frozenset(
    descriptor.full_name for descriptor in struct_pb2.DESCRIPTOR.message_types_by_name.values()
)
_encode: Final = msgspec.json.Encoder().encode


def protobuf_decoder(schema: Schema) -> Callable[[bytes], bytes]:
    """Return what makes JSON of payloads: the path to a message of the file, and the message.

    Raises, as what it returns does, whatever Protobuf raises, and `ValueError` where the path leads
    nowhere.
    """
    file = _file(schema)
    decoders: dict[bytes, Callable[[bytes], msgspec.Struct]] = {}

    def decode(body: bytes) -> bytes:
        end = 1 if body[:1] == b"\0" else _path_end(body)
        path = body[:end]
        read = decoders.get(path)
        if read is None:
            read = decoders[path] = _decoder(_message_at(file, _path(path)))
        return _encode(read(body[end:]))

    return decode


def _file(schema: Schema) -> FileDescriptor:
    """Return the file of a schema, in a pool of its own with all that it imports."""
    pool = descriptor_pool.DescriptorPool()
    for name, text in schema.references:
        _add(pool, name, text)
    name = _add(pool, _OWN_FILE, schema.text)
    return pool.FindFileByName(name)


def _add(pool: DescriptorPool, name: str, text: str) -> str:
    file = FileDescriptorProto.FromString(b64decode(text, validate=True))
    file.name = name
    for imported in file.dependency:
        _add_google(pool, imported)
    pool.Add(file)
    return name


def _add_google(pool: DescriptorPool, name: str) -> None:
    """Add a file of Google's own, and what it imports: a registry does without references to it."""
    if not name.startswith(_GOOGLE):
        return
    try:
        pool.FindFileByName(name)
    except KeyError:
        module = import_module(f"{name.removesuffix('.proto').replace('/', '.')}_pb2")
        for imported in module.DESCRIPTOR.dependencies:
            _add_google(pool, imported.name)
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)


def _path_end(body: bytes) -> int:
    """Return where the path to a message ends: its length and its indexes, a varint each."""
    count, end = _varint(body, 0)
    if count < 0:
        raise ValueError("the path to its message has no length")
    for _ in range(count):
        _, end = _varint(body, end)
    return end


def _path(written: bytes) -> list[int]:
    """Return the indexes of a path; the first message of a file is written as none.

    >>> _path(bytes([4, 2, 0])), _path(bytes([0]))
    ([1, 0], [0])
    """
    count, end = _varint(written, 0)
    indexes = []
    for _ in range(count):
        index, end = _varint(written, end)
        indexes.append(index)
    return indexes or [0]


def _varint(body: bytes, start: int) -> tuple[int, int]:
    """Return a zigzag varint and where it ends."""
    value = shift = 0
    for place in range(start, min(start + 5, len(body))):
        value |= (body[place] & 0x7F) << shift
        shift += 7
        if not body[place] & 0x80:
            return (value >> 1) ^ -(value & 1), place + 1
    raise ValueError("the path to its message is cut off")


def _message_at(file: FileDescriptor, path: list[int]) -> Descriptor:
    messages = list(file.message_types_by_name.values())
    found = None
    for index in path:
        if not 0 <= index < len(messages):
            raise ValueError(f"its schema has no message at {path}")
        found = messages[index]
        messages = list(found.nested_types)
    assert found is not None, "a path has at least one index"
    return found


def _decoder(descriptor: Descriptor) -> Callable[[bytes], msgspec.Struct]:
    parse, read = GetMessageClass(descriptor).FromString, _Reader(descriptor, {}).read
    return lambda body: read(parse(body))


class _Reader:
    """Reads messages of one type as structs that encode as what they hold.

    Most fields are scalars, and are asked for together: one by one, or as a list of those that are
    set, they cost three times as much. So does a dictionary where there is a struct.

    Parameters
    ----------
    descriptor
        Of the type.
    known
        Readers by type, of those that it is read within: a type may hold itself.
    """

    def __init__(self, descriptor: Descriptor, known: dict[str, _Reader]) -> None:
        known[descriptor.full_name] = self
        scalars = [field for field in descriptor.fields if _is_scalar(field)]
        others = [field for field in descriptor.fields if not _is_scalar(field)]
        self._get = _getter([field.name for field in scalars])
        self._may_be_unset = [
            (place, field.name)
            for place, field in enumerate(scalars)
            if field.has_presence and field.cpp_type != FieldDescriptor.CPPTYPE_STRING
        ]
        self._others = [
            (field.name, field.has_presence, _converter(field, known)) for field in others
        ]
        self._struct = _struct([*scalars, *others])

    def read(self, message: Message) -> msgspec.Struct:
        """Return the fields of a message."""
        values = [*self._get(message)]
        for place, name in self._may_be_unset:
            if not values[place] and not message.HasField(name):
                values[place] = UNSET
        for name, has_presence, convert in self._others:
            value = getattr(message, name)
            is_set = message.HasField(name) if has_presence else value
            values.append(convert(value) if is_set else UNSET)
        return self._struct(*values)


def _struct(fields: list[FieldDescriptor]) -> Callable[..., msgspec.Struct]:
    """Return a struct with these fields, of which an empty text is left out."""
    members = [
        (f"f{place}", Any, "" if _is_text(field) else UNSET) for place, field in enumerate(fields)
    ]
    names = {f"f{place}": field.name for place, field in enumerate(fields)}
    return msgspec.defstruct("Message", members, omit_defaults=True, rename=names, gc=False)


def _is_text(field: FieldDescriptor) -> bool:
    return _is_scalar(field) and field.cpp_type == FieldDescriptor.CPPTYPE_STRING


def _is_scalar(field: FieldDescriptor) -> bool:
    is_single = not field.is_repeated and field.message_type is None and field.enum_type is None
    return is_single and field.type != FieldDescriptor.TYPE_BYTES


def _getter(names: list[str]) -> Callable[[Message], Sequence[object]]:
    """Return what returns the fields of these names together."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda message: [getattr(message, name) for name in names]


def _converter(field: FieldDescriptor, known: dict[str, _Reader]) -> Convert:
    """Return what makes a plain value of a field that is no scalar."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _map_converter(field.message_type.fields_by_name["value"], known)
    convert = _value_converter(field, known)
    return (lambda values: list(map(convert, values))) if field.is_repeated else convert


def _map_converter(of_value: FieldDescriptor, known: dict[str, _Reader]) -> Convert:
    convert = _value_converter(of_value, known)
    return lambda values: {str(key): convert(value) for key, value in values.items()}


def _value_converter(field: FieldDescriptor, known: dict[str, _Reader]) -> Convert:
    if field.enum_type is not None:
        return _names(field.enum_type).get
    message = field.message_type
    if message is None:
        return _text_of if field.type == FieldDescriptor.TYPE_BYTES else _as_it_is
    if message.full_name in _TIMES:
        return lambda time: time.seconds + time.nanos / 1e9
    if message.full_name in _WRAPPERS:
        convert = _value_converter(message.fields_by_name["value"], known)
        return lambda wrapper: convert(wrapper.value)
    if message.full_name in _STRUCTS:
        return json_format.MessageToDict
    return (known.get(message.full_name) or _Reader(message, known)).read


def _text_of(value: bytes) -> str:
    """Return bytes as text of one character a byte, in which a card number is seen."""
    return value.decode("latin-1")


def _as_it_is(value: object) -> object:
    return value


def _names(enumeration: EnumDescriptor) -> dict[int, str | None]:
    """Return the names of values by their numbers, as this module says."""
    start = _upper_snake(enumeration.name) + "_"
    names = {value.number: value.name for value in enumeration.values}
    if all(name.startswith(start) for name in names.values()):
        names = {number: name.removeprefix(start) for number, name in names.items()}
    return {
        number: None if name.endswith("UNSPECIFIED") else name for number, name in names.items()
    }


def _upper_snake(name: str) -> str:
    """Return a name as the values of an enumeration begin with it.

    >>> _upper_snake("CvcCheck")
    'CVC_CHECK'
    """
    return "".join(
        f"_{letter}" if letter.isupper() and place else letter for place, letter in enumerate(name)
    ).upper()
