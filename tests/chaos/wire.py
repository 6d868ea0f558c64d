"""Requests that client libraries do not make, and their answers, as Kafka writes them."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_TAGS = b"\0"


def ask(address: tuple[str, int], api: tuple[int, int], body: bytes) -> bytes:
    """Send a request of a flexible version to a broker, and return the body of its answer."""
    head = struct.pack(">hhih", *api, 1, -1) + NO_TAGS
    with socket.create_connection(address, timeout=5.0) as broker, broker.makefile("rb") as stream:
        broker.sendall(struct.pack(">i", len(head + body)) + head + body)
        (size,) = struct.unpack(">i", _exactly(stream.read(4), 4))
        answer = _exactly(stream.read(size), size)
    return answer[5:]  # after the request's number and no tags


def _exactly(data: bytes, size: int) -> bytes:
    if len(data) < size:
        raise ConnectionError("the broker has closed the connection")
    return data


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def string(text: str) -> bytes:
    return _varint(len(text.encode()) + 1) + text.encode()


def array(items: Sequence[bytes]) -> bytes:
    return _varint(len(items) + 1) + b"".join(items)


class Reader:
    """Reads an answer of a flexible version from its start."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def read(self, layout: str) -> tuple[int, ...]:
        """Read numbers."""
        values = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return values

    def length(self) -> int:
        """Read the length of an array or a string; 0 for none."""
        return max(self._varint() - 1, 0)

    def string(self) -> str:
        """Read a string."""
        size = self.length()
        self._at += size
        return self._data[self._at - size : self._at].decode()

    def tags(self) -> None:
        """Skip tagged fields, of which these answers have none."""
        assert self._varint() == 0

    def _varint(self) -> int:
        number = shift = 0
        while True:
            (byte,) = self.read(">B")
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number
