"""Envelopes: what other systems put around an event, told by their marks.

The event is taken out of a change event of Debezium, out of a CloudEvent, and out of the JSON that
Kafka Connect writes with its schema. Others are named in the message that rejects the event, with
what to do.
"""

from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Final

import orjson

from schemas.expectations import quoted

_EVENT_FIELDS: Final = frozenset(
    {"id", "created", "card", "merchant", "amount", "currency", "charge", "reason"}
)
_OWN_FIELDS: Final = frozenset({"amount", "reason", "fraud_type"})
"""What no envelope has beside its event."""
_SEEN_MIN: Final = 3
"""Fields of an event that tell one inside of something else."""

_MARKED: Final = frozenset({"after", "payload", "specversion"})
"""Every envelope that an event is taken out of has one of these."""

_MARKS: Final = {
    b"\xef\xbb\xbf": "text with a byte order mark: send UTF-8 without one",
    b"\xff\xfe": "UTF-16 text: send UTF-8",
    b"\xfe\xff": "UTF-16 text: send UTF-8",
    b"{\0": "UTF-16 text: send UTF-8",
    b"\0{\0": "UTF-16 text: send UTF-8",
    b"\x1f\x8b": "gzip: send plain JSON, and leave compression to the producer (compression.type)",
    b"\x28\xb5\x2f\xfd": "zstd: send plain JSON, and leave compression to the producer "
    "(compression.type)",
}


def event_in(fields: object) -> dict[str, object] | None:
    """Return the event in an envelope, `None` where the fields are of none, or it holds none.

    Parameters
    ----------
    fields
        What a payload is as JSON.

    Examples
    --------
    >>> event_in({"op": "c", "before": None, "after": {"id": "c1"}, "source": {}, "ts_ms": 5})
    {'id': 'c1'}
    >>> event_in({"specversion": "1.0", "type": "charge", "source": "/", "data": {"id": "c1"}})
    {'id': 'c1'}
    >>> event_in({"id": "c1", "created": 5, "card": "k", "after": {"id": "c2"}, "op": "c"})
    """
    if not isinstance(fields, dict) or _MARKED.isdisjoint(fields):
        return None
    if fields.keys() >= {"created", "card"}:
        return None
    inside: object = fields["payload"] if _is_with_schema(fields) else None
    change = inside or fields
    if isinstance(change, dict) and _is_change(change):
        inside = change.get("after")
    elif _is_cloud_event(fields):
        inside = fields.get("data") or _from_base64(fields.get("data_base64"))
    return inside if isinstance(inside, dict) else None


def _is_with_schema(fields: Mapping[str, object]) -> bool:
    return fields.keys() >= {"schema", "payload"}


def _is_change(fields: Mapping[str, object]) -> bool:
    names = fields.keys()
    return not names.isdisjoint({"after", "before"}) and (
        not names.isdisjoint({"op", "source", "ts_ms"})
    )


def _is_cloud_event(fields: Mapping[str, object]) -> bool:
    return "specversion" in fields and ("type" in fields or "source" in fields)


def _from_base64(written: object) -> object:
    if not isinstance(written, str):
        return None
    try:
        return orjson.loads(b64decode(written, validate=True))
    except ValueError:
        return None


def envelope_in(value: bytes, fields: object) -> str:
    """Say what a payload looks like that holds no event, nothing if it is none of the known.

    Parameters
    ----------
    value
        The payload.
    fields
        What it is as JSON, `None` if it is none.

    Returns
    -------
    str
        What it looks like, where its event is, and what to do.

    Examples
    --------
    >>> envelope_in(b"", {"message": {"id": "c1", "created": 5, "card": "k"}})
    'looks like an envelope; its event is under `message`: send what is under `message` alone'
    >>> envelope_in(b"", {"id": "c1", "created": 5, "card": "k"})
    ''
    """
    if fields is None:
        return _framing_in(value)
    if isinstance(fields, dict):
        return "" if fields.keys() >= {"created", "card"} else _wrapping_in(fields)
    if isinstance(fields, str) and fields.lstrip().startswith("{"):
        return "looks like JSON in a JSON string: it was encoded twice; send the inner text alone"
    if isinstance(fields, list) and any(isinstance(item, dict) for item in fields):
        return "looks like an array of events: send a message for each"
    return ""


def _framing_in(value: bytes) -> str:
    """Tell what stands before, or in place of, JSON."""
    for mark, what in _MARKS.items():
        if value.startswith(mark):
            return f"looks like {what}"
    if value.startswith(b"\0") and len(value) > 5:
        schema = int.from_bytes(value[1:5])
        said = f"looks like the framing of a schema registry (schema {schema})"
        try:
            orjson.loads(value[5:])
        except orjson.JSONDecodeError:
            return (
                f"{said}, as its serializers of Avro and Protobuf write it: set "
                "schema_registry_url, or send plain JSON"
            )
        return f"{said}: set schema_registry_url, or send the JSON without the 5 bytes before it"
    return ""


def _wrapping_in(fields: Mapping[str, object]) -> str:
    """Tell what is around an event by its fields."""
    inside = fields["payload"] if _is_with_schema(fields) else fields
    if isinstance(inside, dict) and _is_change(inside) and inside.get("after") is None:
        return (
            "looks like a Debezium change event that deletes a row: leave such out "
            "(ExtractNewRecordState with delete.tombstone.handling.mode=drop)"
        )
    if _is_cloud_event(fields):
        return "looks like a CloudEvent whose `data` is no JSON object"
    return _around_in(fields)


def _around_in(fields: Mapping[str, object]) -> str:
    """Tell an envelope that is none of the known by the fields of an event inside."""
    if not _OWN_FIELDS.isdisjoint(fields):
        return ""
    for place, inner in _objects_in(fields):
        if len(_EVENT_FIELDS & inner.keys()) >= _SEEN_MIN:
            return _said("an envelope", quoted(place)[1:-1])
    return ""


def _objects_in(fields: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield the objects that fields hold, with those that these hold, and where they are."""
    for name, content in fields.items():
        found = content
        if isinstance(found, list) and found:
            found = found[0]
        if isinstance(found, dict):
            yield name, found
            for inner_name, inner in found.items():
                if isinstance(inner, dict):
                    yield f"{name}.{inner_name}", inner


def _said(what: str, place: str) -> str:
    return f"looks like {what}; its event is under `{place}`: send what is under `{place}` alone"
