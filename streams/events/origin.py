"""Where an input came from, kept for the case that it must be rejected."""

import msgspec
import orjson

from streams.events.headers import Headers, as_json, from_json


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where an input came from, and the headers that go along with it."""

    topic: str
    partition: int
    offset: int
    headers: Headers = ()


def encode_label_tail(origin: Origin, key: bytes, value: bytes) -> bytes:
    """Pack what a rejected copy of a dispute or outcome needs.

    Examples
    --------
    >>> decode_label_tail(encode_label_tail(Origin("disputes", 3, 41), b"card_1", b"{}"))
    (Origin(topic='disputes', partition=3, offset=41, headers=()), b'card_1', b'{}')
    """
    place = (origin.topic, origin.partition, origin.offset)
    head = orjson.dumps([*place, as_json(origin.headers), len(key)])
    return head + b"\n" + key + value


def decode_label_tail(tail: bytes) -> tuple[Origin, bytes, bytes]:
    """Unpack an origin, a key and a payload."""
    head, _, rest = tail.partition(b"\n")
    topic, partition, offset, headers, key_bytes = orjson.loads(head)
    origin = Origin(topic, partition, offset, from_json(headers))
    return origin, rest[:key_bytes], rest[key_bytes:]
