"""Parts as bytes, as they wait for the rest of their charge's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.wire.entity_events import PART

if TYPE_CHECKING:
    from streams.events.rows import Rows

assert PART.fields is not None
_ENTITY_AT = PART.fields["entity"][1]


def entity_in(part: bytes) -> int:
    """Return the code of the kind of entity that a part is by."""
    return int.from_bytes(part[_ENTITY_AT : _ENTITY_AT + 4], "little")


def bytes_of(parts: Rows) -> list[bytes]:
    """Return the bytes of each of PART[N]."""
    raw, size = parts.tobytes(), PART.itemsize
    return [raw[start : start + size] for start in range(0, len(raw), size)]
