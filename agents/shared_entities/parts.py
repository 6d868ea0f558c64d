"""Parts as bytes, as they wait for the rest of their charge's."""

from streams.wire.entity_events import PART

assert PART.fields is not None
_ENTITY_AT = PART.fields["entity"][1]


def entity_in(part: bytes) -> int:
    """Return the code of the kind of entity that a part is by."""
    return int.from_bytes(part[_ENTITY_AT : _ENTITY_AT + 4], "little")
