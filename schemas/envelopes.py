"""Envelopes: what other systems put around an event, told by their marks.

They are named in the message that rejects the event, with what to do; nothing is unwrapped.
"""

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

_UNWRAP: Final = "send what is under {place} alone"
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


def envelope_in(value: bytes, fields: object) -> str:
    """Say what a payload that is no event looks like, nothing if it is none of the known.

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
    >>> envelope_in(b"", {"specversion": "1.0", "type": "charge", "source": "/", "data": {}})
    'looks like a CloudEvent; its event is under `data`: send what is under `data` alone'
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
                f"{said}, as its serializers of Avro and Protobuf write it: send plain JSON, with "
                "a serializer or a converter without schemas"
            )
        return f"{said}: send the JSON alone, without the 5 bytes before it"
    return ""


def _wrapping_in(fields: Mapping[str, object]) -> str:
    """Tell what is around an event by its fields."""
    # A change event may be in a converter's envelope, itself.
    payload, place = fields, ""
    inside = fields.get("payload")
    if fields.keys() >= {"schema", "payload"} and isinstance(inside, dict | None):
        payload, place = inside or {}, "payload."
    if not payload.keys().isdisjoint({"after", "before"}) and (
        not payload.keys().isdisjoint({"op", "source", "ts_ms"})
    ):
        if payload.get("after") is None:
            return (
                "looks like a Debezium change event that deletes a row: leave such out "
                "(ExtractNewRecordState with delete.tombstone.handling.mode=drop)"
            )
        return _said(
            "a Debezium change event",
            f"{place}after",
            " or unwrap it with Debezium's transform ExtractNewRecordState",
        )
    if place:
        return _said(
            "Kafka Connect's JSON with its schema",
            "payload",
            " or set value.converter.schemas.enable=false",
        )
    if "specversion" in fields and ("type" in fields or "source" in fields):
        data = next((name for name in ("data", "data_base64") if name in fields), "data")
        return _said("a CloudEvent", data)
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


def _said(what: str, place: str, otherwise: str = "") -> str:
    comma = "," if otherwise else ""
    return (
        f"looks like {what}; its event is under `{place}`: "
        f"{_UNWRAP.format(place=f'`{place}`')}{comma}{otherwise}"
    )
