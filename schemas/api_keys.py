"""The record of a key of the HTTP API: whose it is and what it may do, but never the key itself."""

from typing import Annotated, Final, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from schemas.edits import Author, WrittenAt, decoded

Scope = Literal["charges", "labels", "rules", "read"]

SCOPES: Final[tuple[str, ...]] = get_args(Scope)


class ApiKey(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A key, keyed by its id on the topic `chargewatch.keys`."""

    id: Annotated[
        str, Meta(pattern="^[0-9a-f]{12}$", description="names the key, and is a part of it")
    ]
    name: Annotated[str, Meta(min_length=1, max_length=100, description="who uses it")]
    sha256: Annotated[
        str, Meta(pattern="^[0-9a-f]{64}$", description="SHA-256 of the whole key, hexadecimal")
    ]
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1, description="what it may do")]
    by: Author
    at: WrittenAt
    revoked_at: Annotated[
        float | None, Meta(description="from when on it is refused, Unix seconds; absent: never")
    ] = None


def encode_api_key(record: ApiKey) -> bytes:
    """Return the payload of a record."""
    return _ENCODER.encode(record)


def decode_api_key(value: bytes) -> ApiKey:
    """Return the record of a payload.

    Raises
    ------
    InvalidEvent
        With reason `json` or `type` when the payload is none.
    """
    return decoded(_DECODER, value, "key of the API")


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(ApiKey)
