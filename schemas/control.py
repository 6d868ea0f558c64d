"""Control records beside the snapshots on `models`: which model scores, and models loaded.

Each is whole in itself, so that compaction, which keeps the newest record of a key, loses nothing.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from schemas.edits import decoded
from schemas.snapshot import Snapshot

CHAMPION_KEY: Final = b"champion"
LOADED_PREFIX: Final = "loaded."


class Former(Struct, frozen=True, omit_defaults=True):
    """A champion as it was when another took its place."""

    name: Annotated[str, Meta(description="the model's name")]
    snapshot: Annotated[
        Snapshot | None, Meta(description="what scored; the prior where there is none")
    ] = None


class Champion(Struct, frozen=True, omit_defaults=True):
    """Which model scores, keyed `champion` on the topic `models`; the default one without it."""

    name: Annotated[str, Meta(description="the model whose newest snapshot scores")]
    frozen: Annotated[
        Snapshot | None, Meta(description="the snapshot that scores in place of the newest one")
    ] = None
    previous: Annotated[
        Former | None, Meta(description="the champion before it, for a rollback")
    ] = None


class Loaded(Struct, frozen=True):
    """A model from a file, keyed `loaded.` and its name: its learner goes on from it, once."""

    id: Annotated[str, Meta(pattern="^[0-9a-f]{8}$", description="unique; drawn at random")]
    snapshot: Annotated[Snapshot, Meta(description="the model as it was in the file")]


def loaded_key(name: str) -> bytes:
    """Return the key of what was loaded of a model.

    >>> loaded_key("linear")
    b'loaded.linear'
    """
    return f"{LOADED_PREFIX}{name}".encode()


def encode_control(record: Champion | Loaded) -> bytes:
    """Return the payload of a control record."""
    return _ENCODER.encode(record)


def decode_champion(value: bytes) -> Champion:
    """Return the record of a payload.

    Raises
    ------
    InvalidEvent
        With reason `json` or `type` when the payload is none.
    """
    return decoded(_CHAMPION, value, "control record")


def decode_loaded(value: bytes) -> Loaded:
    """Return the record of a payload; raises as `decode_champion`."""
    return decoded(_LOADED, value, "control record")


_ENCODER: Final = msgspec.json.Encoder()
_CHAMPION: Final = msgspec.json.Decoder(Champion)
_LOADED: Final = msgspec.json.Decoder(Loaded)
