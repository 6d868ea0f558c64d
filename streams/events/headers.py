"""Headers that go along with an event: from its input to its scored event or its rejected copy.

Such as `traceparent`. What looks like a card number in them is masked as in a rejected copy.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from schemas.card_numbers import mask, mask_payload
from schemas.rejected import ERROR, OFFSET, PARTITION, TOPIC

Headers = tuple[tuple[str, bytes | None], ...]

HEADERS_BYTES_MAX = 64 * 1024
"""More than that together, which is as much as a payload may have, do not go along."""

VALUE_SCHEMA_ID = "__value_schema_id"
"""By which schema a payload was written, where that is not said before it."""

_OWN = frozenset({ERROR, TOPIC, PARTITION, OFFSET})
_OF_PAYLOAD = frozenset({VALUE_SCHEMA_ID, "__key_schema_id", "content-type"})
_BEHIND = b"\0"  # no JSON text has one
_BYTES = "latin-1"


def carried(headers: Iterable[tuple[str, Any]] | None) -> Headers:
    """Return the headers of an input that go along.

    Examples
    --------
    >>> carried([("traceparent", b"00-1"), ("paid", b"with 4242 4242 4242 4242")])
    (('traceparent', b'00-1'), ('paid', b'with **** **** **** ****'))
    >>> carried(None)
    ()
    """
    if not headers:
        return ()
    masked = tuple((mask(name), mask_payload(value)) for name, value in headers)
    return masked if _bytes_of(masked) <= HEADERS_BYTES_MAX else ()


def beside_own(headers: Headers) -> Headers:
    """Return the headers that a rejected copy can have beside those that say why it is one."""
    return tuple(header for header in headers if header[0] not in _OWN)


def beside_payload(headers: Headers) -> Headers:
    """Return the headers that can go along with another payload: they say nothing of its form.

    >>> beside_payload((("content-type", b"application/json"), ("traceparent", b"00-1")))
    (('traceparent', b'00-1'),)
    """
    return tuple(header for header in headers if header[0].lower() not in _OF_PAYLOAD)


def as_json(headers: Headers) -> list[tuple[str, str | None]]:
    """Return headers as JSON can have them."""
    return [(name, None if value is None else value.decode(_BYTES)) for name, value in headers]


def from_json(headers: Iterable[tuple[str, str | None]]) -> Headers:
    """Return the headers that `as_json` was given."""
    return tuple((name, None if value is None else value.encode(_BYTES)) for name, value in headers)


def put_behind(head: bytes, headers: Headers) -> bytes:
    """Put headers behind the JSON text of an event, those that can go along with it.

    Examples
    --------
    >>> tail = put_behind(b'{"charge":"c1"', (("traceparent", b"00-1"),))
    >>> taken_off([tail, b'{"charge":"c2"'])
    ([b'{"charge":"c1"', b'{"charge":"c2"'], [(('traceparent', b'00-1'),), ()])
    """
    if not headers or not (headers := beside_payload(headers)):
        return head
    return head + _BEHIND + orjson.dumps(as_json(headers))


def taken_off(tails: list[bytes]) -> tuple[list[bytes], list[Headers] | None]:
    """Take the headers of N events off again; `None` where none has any."""
    if not any(_BEHIND in tail for tail in tails):
        return tails, None
    parts = [tail.partition(_BEHIND) for tail in tails]
    headers = [from_json(orjson.loads(written)) if written else () for _, _, written in parts]
    return [head for head, _, _ in parts], headers


def _bytes_of(headers: Sequence[tuple[str, bytes | None]]) -> int:
    return sum(len(name) + len(value or b"") for name, value in headers)
