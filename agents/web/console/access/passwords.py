"""Passwords as Argon2id hashes (RFC 9106)."""

from __future__ import annotations

import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from streams.errors import OperationalError

CHARACTERS_MIN: Final = 12
CHARACTERS_MAX: Final = 200

_HASHER: Final = PasswordHasher()
"""With the parameters of RFC 9106 for little memory: 64 MB, three passes."""


class PasswordRefusedError(OperationalError):
    """A password that cannot be."""


def hash_password(password: str) -> str:
    """Return the hash of a password.

    Raises
    ------
    PasswordRefusedError
        When it is too short or too long.
    """
    if not CHARACTERS_MIN <= len(password) <= CHARACTERS_MAX:
        raise PasswordRefusedError(
            f"password: expected {CHARACTERS_MIN} to {CHARACTERS_MAX} characters; a few words that "
            "do not belong together are easy to remember"
        )
    return _HASHER.hash(password)


def is_password(password: str, hashed: str | None) -> bool:
    """Return whether a hash is that of a password; `None` takes as long, and is of none."""
    try:
        return _HASHER.verify(hashed or _NOBODYS, password[:CHARACTERS_MAX]) and hashed is not None
    except (Argon2Error, InvalidHashError):
        return False


_NOBODYS: Final = _HASHER.hash(secrets.token_hex())
