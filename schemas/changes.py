"""The record of a change: what was written to `rules`, `lists` or `merchants`, kept for ever."""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.edits import Author, MadeFrom, Note, Version, WrittenAt, decoded

Kind = Literal["rules", "lists", "merchants"]


class Change(Struct, frozen=True, omit_defaults=True):
    """One edit; `record` is what was written, so that it can be seen, and gone back to."""

    kind: Annotated[Kind, Meta(description="the topic")]
    key: Annotated[str, Meta(description="the record's key there")]
    version: Version
    made_from: MadeFrom
    by: Author
    at: WrittenAt
    note: Note = ""
    record: Annotated[
        dict[str, Any] | None, Meta(description="as it was written; absent if it was removed")
    ] = None


def change_key(change: Change) -> bytes:
    """Return the key of a change: no two have the same, so none is compacted away.

    What was taken off a list and put on again begins with version 1 anew, hence the time.

    >>> change_key(Change("rules", "*", 7, 6, "ann", 1.5))
    b'rules/*/0000000007/1.500'
    """
    return f"{change.kind}/{change.key}/{change.version:010d}/{change.at:.3f}".encode()


def encode_change(change: Change) -> bytes:
    """Return the payload of a change."""
    return _ENCODER.encode(change)


def decode_change(value: bytes) -> Change:
    """Return the change of a payload.

    Raises
    ------
    InvalidEvent
        With reason `json` or `type` when the payload is none.
    """
    return decoded(_DECODER, value, "change")


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Change)
