"""Avro schemas of event types.

A field that may be absent is null there. The unknown fields of an event, for which a record has no
place, are texts of JSON under their names in the map `carried`.
"""

from typing import Any, Final

import msgspec
from msgspec import inspect as types

CARRIED: Final = "carried"
_PLAIN: Final[dict[type[types.Type], str]] = {
    types.StrType: "string",
    types.LiteralType: "string",
    types.BoolType: "boolean",
    types.IntType: "long",
    types.FloatType: "double",
}
_NAMESPACE: Final = "chargewatch"


def avro_schema(event_type: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the Avro schema of an event type.

    Examples
    --------
    >>> from schemas.scored import Reason
    >>> schema = avro_schema(Reason)
    >>> [(field["name"], field["type"]) for field in schema["fields"]][:2]
    [('feature', 'string'), ('value', 'double')]
    """
    record = _record(types.type_info(event_type))
    doc = f"fields that are not of {event_type.__name__}, as JSON by their names"
    carried = {"name": CARRIED, "type": ["null", _map_of("string")], "default": None, "doc": doc}
    return {**record, "namespace": _NAMESPACE, "fields": [*record["fields"], carried]}


def _record(type_: types.Type) -> dict[str, Any]:
    assert isinstance(type_, types.StructType)
    fields = [_field(field) for field in type_.fields]
    return {"type": "record", "name": type_.cls.__name__, "fields": fields}


def _field(field: types.Field) -> dict[str, Any]:
    written: dict[str, Any] = {"name": field.name, "type": _type(field.type)}
    if not field.required:
        written["type"] = ["null", _type(field.type)]
        written["default"] = None
    if doc := _description(field.type):
        written["doc"] = doc
    return written


def _type(type_: types.Type) -> Any:
    type_ = _given(type_)
    match type_:
        case types.VarTupleType(item_type=item):
            return {"type": "array", "items": _type(item)}
        case types.DictType(value_type=value):
            return _map_of(_type(value))
        case types.StructType():
            return _record(type_)
    return _PLAIN[type(type_)]


def _given(type_: types.Type) -> types.Type:
    """Return what a type is without what is said of it, and if it is not none."""
    while isinstance(type_, types.Metadata | types.UnionType):
        if isinstance(type_, types.Metadata):
            type_ = type_.type
        else:
            type_ = next(each for each in type_.types if not isinstance(each, types.NoneType))
    return type_


def _map_of(values: Any) -> dict[str, Any]:
    return {"type": "map", "values": values}


def _description(type_: types.Type) -> str:
    if not isinstance(type_, types.Metadata) or not type_.extra_json_schema:
        return ""
    return str(type_.extra_json_schema.get("description", ""))
