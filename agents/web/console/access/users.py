"""The users of the console, as they are on their topic."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agents.web.console.access.passwords import hash_password
from schemas.console_users import ROLES, USER_NAME, ConsoleUser, Role, decode_user
from schemas.rejected import InvalidEvent
from streams.errors import OperationalError

if TYPE_CHECKING:
    from agents.policy.edits import Signature


class UserRefusedError(OperationalError):
    """A user that cannot be, or is not there."""


def may(role: Role, least: Role) -> bool:
    """Return whether a role is at least another.

    >>> may("manager", "analyst"), may("viewer", "analyst")
    (True, False)
    """
    return ROLES.index(role) >= ROLES.index(least)


def new_user(name: str, role: Role, password: str | None, signed: Signature) -> ConsoleUser:
    """Return the record of a user; without a password they sign in by a provider alone.

    Raises
    ------
    UserRefusedError, PasswordRefusedError
        When there can be none of this name or with this password.
    """
    if not re.fullmatch(USER_NAME, name):
        raise UserRefusedError(
            "name: expected at most 64 ASCII letters, digits, dots, hyphens, underscores or @, a "
            "letter or digit first"
        )
    hashed = "" if password is None else hash_password(password)
    return ConsoleUser(name, role, hashed, signed.by, signed.at)


class UserBook:
    """All users by their names.

    Attributes
    ----------
    records
        Those that can sign in.
    """

    def __init__(self) -> None:
        self.records: dict[str, ConsoleUser] = {}

    def take(self, key: bytes, value: bytes | None) -> None:
        """Take a record in the order of the topic; one that cannot be read lets nobody in."""
        name = key.decode(errors="replace")
        self.records.pop(name, None)
        if value is None:
            return
        try:
            record = decode_user(value)
        except InvalidEvent:
            return
        if record.name == name:
            self.records[name] = record
