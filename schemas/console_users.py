"""The record of a user of the console: who it is and what they may do, never their password."""

from typing import Annotated, Final, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from schemas.edits import Author, WrittenAt, decoded

Role = Literal["viewer", "analyst", "manager", "administrator"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
"""Each may do what those before it may, and more."""

USER_NAME: Final = "^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"


class ConsoleUser(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A user, keyed by their name on the topic `chargewatch.users`."""

    name: Annotated[str, Meta(pattern=USER_NAME, description="by which they sign in")]
    role: Annotated[Role, Meta(description="what they may do")]
    password: Annotated[
        str,
        Meta(
            pattern=r"^(\$argon2id\$.*)?$",
            max_length=256,
            description="its Argon2id hash; empty if they sign in by a provider alone",
        ),
    ]
    by: Author
    at: WrittenAt


def encode_user(record: ConsoleUser) -> bytes:
    """Return the payload of a record."""
    return _ENCODER.encode(record)


def decode_user(value: bytes) -> ConsoleUser:
    """Return the record of a payload.

    Raises
    ------
    InvalidEvent
        With reason `json` or `type` when the payload is none.
    """
    return decoded(_DECODER, value, "user")


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(ConsoleUser)
