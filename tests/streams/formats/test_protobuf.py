"""Protobuf as the JSON it stands for: presence, enumerations, Google's types, nested messages."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import (
    descriptor_pool,
    duration_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message_factory import GetMessageClass

from schemas.rejected import InvalidEvent
from streams.formats.decoders import decoder_of
from streams.formats.schema import Schema

if TYPE_CHECKING:
    from google.protobuf.message import Message

F = FieldDescriptorProto
GOOGLE = (timestamp_pb2, duration_pb2, wrappers_pb2, struct_pb2)
SINGLE, MANY = F.LABEL_OPTIONAL, F.LABEL_REPEATED


def file_of(name: str, *dependencies: str) -> FileDescriptorProto:
    imported = [module.DESCRIPTOR.name for module in GOOGLE]
    return FileDescriptorProto(
        name=name, package="shop", syntax="proto3", dependency=[*imported, *dependencies]
    )


def add(message: Any, name: str, kind: Any, *, label: Any = SINGLE, of: str = "") -> None:
    field = message.field.add(name=name, number=len(message.field) + 1, type=kind, label=label)
    if of:
        field.type_name = of


def add_optional(message: Any, name: str, kind: Any) -> None:
    add(message, name, kind)
    message.field[-1].proto3_optional = True
    message.field[-1].oneof_index = len(message.oneof_decl)
    message.oneof_decl.add(name=f"_{name}")


def text_of(file: FileDescriptorProto) -> str:
    return b64encode(file.SerializeToString()).decode()


def classes(*files: FileDescriptorProto) -> Any:
    """Return what gives the class of a message by its name."""
    pool = descriptor_pool.DescriptorPool()
    for module in GOOGLE:
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    for file in files:
        pool.Add(file)
    return lambda name: GetMessageClass(pool.FindMessageTypeByName(name))


def read(schema: Schema, message: Message, path: bytes = b"\0") -> Any:
    (found,) = decoder_of(1, schema).decode([path + message.SerializeToString()])
    assert isinstance(found, bytes), found
    return json.loads(found)


def charge_file() -> FileDescriptorProto:
    file = file_of("charge.proto")
    funding = file.enum_type.add(name="CardFunding")
    for number, name in enumerate(("UNSPECIFIED", "CREDIT", "DEBIT")):
        funding.value.add(name=f"CARD_FUNDING_{name}", number=number)
    channel = file.enum_type.add(name="Channel")
    for number, name in enumerate(("online", "in_person")):
        channel.value.add(name=name, number=number)
    charge = file.message_type.add(name="Charge")
    add(charge, "id", F.TYPE_STRING)
    add(charge, "amount", F.TYPE_INT64)
    add(charge, "three_d_secure", F.TYPE_BOOL)
    add_optional(charge, "mcc", F.TYPE_INT32)
    add_optional(charge, "note", F.TYPE_STRING)
    add_optional(charge, "risk", F.TYPE_DOUBLE)
    add(charge, "created", F.TYPE_MESSAGE, of=".google.protobuf.Timestamp")
    add(charge, "age", F.TYPE_MESSAGE, of=".google.protobuf.Duration")
    add(charge, "device", F.TYPE_MESSAGE, of=".google.protobuf.StringValue")
    add(charge, "tries", F.TYPE_MESSAGE, of=".google.protobuf.Int64Value")
    add(charge, "more", F.TYPE_MESSAGE, of=".google.protobuf.Struct")
    add(charge, "funding", F.TYPE_ENUM, of=".shop.CardFunding")
    add(charge, "channel", F.TYPE_ENUM, of=".shop.Channel")
    add(charge, "raw", F.TYPE_BYTES)
    add(charge, "tags", F.TYPE_STRING, label=MANY)
    add(charge, "fundings", F.TYPE_ENUM, label=MANY, of=".shop.CardFunding")
    entry = charge.nested_type.add(name="MetaEntry")
    entry.options.map_entry = True
    add(entry, "key", F.TYPE_STRING)
    add(entry, "value", F.TYPE_INT64)
    add(charge, "meta", F.TYPE_MESSAGE, label=MANY, of=".shop.Charge.MetaEntry")
    add(charge, "parent", F.TYPE_MESSAGE, of=".shop.Charge")
    line = charge.nested_type.add(name="Line")
    add(line, "sku", F.TYPE_STRING)
    add(charge, "lines", F.TYPE_MESSAGE, label=MANY, of=".shop.Charge.Line")
    other = file.message_type.add(name="Other")
    add(other, "id", F.TYPE_STRING)
    return file


CHARGE = charge_file()
SCHEMA = Schema("PROTOBUF", text_of(CHARGE))
CLASS = classes(CHARGE)


def test_what_is_set_is_what_it_stands_for() -> None:
    charge = CLASS("shop.Charge")(
        id='c"1', amount=2**62, three_d_secure=True, mcc=5812, note="äöü", risk=0.125,
        created={"seconds": 1790000000, "nanos": 250_000_000},
        age={"seconds": 90},
        device={"value": "d1"}, tries={"value": 2**40},
        funding=1, channel=1, raw=b"\xe94242", tags=["a", "b"], fundings=[2, 1],
        meta={"x": 2**40}, parent=CLASS("shop.Charge")(id="c0"),
        lines=[{"sku": "s1"}, {"sku": "s2"}],
    )  # fmt: skip
    charge.more.update({"a": [1.0, None, "x"]})
    assert read(SCHEMA, charge) == {
        "id": 'c"1', "amount": 2**62, "three_d_secure": True, "mcc": 5812, "note": "äöü",
        "risk": 0.125, "created": 1790000000.25, "age": 90.0, "device": "d1", "tries": 2**40,
        "more": {"a": [1.0, None, "x"]}, "funding": "CREDIT", "channel": "in_person",
        "raw": "\xe94242", "tags": ["a", "b"], "fundings": ["DEBIT", "CREDIT"],
        "meta": {"x": 2**40}, "parent": {"id": "c0", "amount": 0, "three_d_secure": False},
        "lines": [{"sku": "s1"}, {"sku": "s2"}],
    }  # fmt: skip


def test_what_is_not_set_is_missing_or_zero() -> None:
    assert read(SCHEMA, CLASS("shop.Charge")()) == {"amount": 0, "three_d_secure": False}


def test_what_is_set_to_zero_and_may_be_missing_is_zero() -> None:
    charge = CLASS("shop.Charge")(mcc=0, risk=0.0, device={"value": ""})
    found = read(SCHEMA, charge)
    assert (found["mcc"], found["risk"], found["device"]) == (0, 0.0, "")


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        (b"\0", "shop.Charge", {"id": "i", "amount": 0, "three_d_secure": False}),
        (b"\x02\x00", "shop.Charge", {"id": "i", "amount": 0, "three_d_secure": False}),
        (b"\x02\x02", "shop.Other", {"id": "i"}),
        (b"\x04\x00\x02", "shop.Charge.Line", {"sku": "i"}),
    ],
)
def test_the_path_leads_to_the_message(path: bytes, name: str, expected: dict[str, Any]) -> None:
    assert read(SCHEMA, CLASS(name)(**{next(iter(expected)): "i"}), path) == expected


@pytest.mark.parametrize("path", [b"", b"\x02", b"\x02\x08", b"\x01", b"\x04\x02\x00", b"\xff" * 9])
def test_a_path_that_leads_nowhere_is_refused(path: bytes) -> None:
    (found,) = decoder_of(1, SCHEMA).decode([path])
    assert isinstance(found, InvalidEvent)
    assert found.reason == "schema"


def test_files_that_it_imports_are_resolved() -> None:
    money = file_of("money.proto")
    message = money.message_type.add(name="Money")
    add(message, "total", F.TYPE_INT64)
    paid = file_of("paid.proto", "money.proto")
    message = paid.message_type.add(name="Paid")
    add(message, "money", F.TYPE_MESSAGE, of=".shop.Money")
    schema = Schema("PROTOBUF", text_of(paid), (("money.proto", text_of(money)),))
    assert read(schema, classes(money, paid)("shop.Paid")(money={"total": 7})) == {
        "money": {"total": 7}
    }


WRONG = ('syntax = "proto3"; message A {}', "AAAA", text_of(file_of("a", "b")))


@pytest.mark.parametrize("text", WRONG)
def test_a_schema_that_cannot_be_used_says_so(text: str) -> None:
    (found,) = decoder_of(7, Schema("PROTOBUF", text)).decode([b"\0"])
    assert isinstance(found, InvalidEvent)
    assert str(found).startswith("payload: schema 7 (Protobuf) cannot be used: ")
