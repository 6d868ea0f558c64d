"""How a message says by which schema it was written.

Confluent's serializers put it before the payload: a byte 0 and a number of four bytes, big-endian,
or a byte 1 and a globally unique id; or they put the same into a header. No JSON begins with either
byte. Behind it Protobuf names the message (`streams.formats.protobuf`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from streams.events.headers import VALUE_SCHEMA_ID

if TYPE_CHECKING:
    from streams.events.headers import Headers
    from streams.formats.schema import SchemaId

_NUMBER_END: Final = 5
_UNIQUE_END: Final = 17


def framed(value: bytes, headers: Headers = ()) -> tuple[SchemaId, bytes] | None:
    r"""Return the schema of a message and what is behind it; `None` where it names none.

    Parameters
    ----------
    value
        The payload.
    headers
        Of the message. One that names a schema counts before the payload.

    Examples
    --------
    >>> framed(b"\0\0\0\0\7{}")
    (7, b'{}')
    >>> framed(b"{}", (("__value_schema_id", b"\1" + bytes(15) + b"\7"),))
    (UUID('00000000-0000-0000-0000-000000000007'), b'{}')
    >>> framed(b'{"id":"c1"}')
    """
    for name, head in headers:
        if name == VALUE_SCHEMA_ID and head and (found := _framed(head)):
            schema_id, rest = found
            return schema_id, rest + value
    return _framed(value)


def prefix(number: int) -> bytes:
    r"""Return what stands before a payload that was written by a schema of this number.

    >>> prefix(7)
    b'\x00\x00\x00\x00\x07'
    """
    return number.to_bytes(_NUMBER_END)


def _framed(value: bytes) -> tuple[SchemaId, bytes] | None:
    if value[:1] == b"\0" and len(value) >= _NUMBER_END:
        return int.from_bytes(value[1:_NUMBER_END]), value[_NUMBER_END:]
    if value[:1] == b"\1" and len(value) >= _UNIQUE_END:
        return UUID(bytes=value[1:_UNIQUE_END]), value[_UNIQUE_END:]
    return None
