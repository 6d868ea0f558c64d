"""The topic of users, as the command `users` and the page of users edit it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from agents.terminal.connection import connect
from agents.web.console.access.users import UserBook, UserRefusedError
from schemas.audit import AuditAction, AuditEvent, audit_key, encode_audit_event
from schemas.console_users import ConsoleUser, encode_user
from streams.kafka.clients import Clients
from streams.kafka.editor import Editor, Written
from streams.kafka.partition_reader import PartitionReader
from streams.kafka.topics import Topics

if TYPE_CHECKING:
    from agents.policy.edits import Signature
    from agents.settings.schema import Settings


def audited(action: AuditAction, signed: Signature, subject: str, names: Topics) -> Written:
    """Return the record of an act for the audit log."""
    event = AuditEvent(
        secrets.token_hex(8), signed.at, signed.by, action, subject[:300], signed.note
    )
    return Written(names.audit, audit_key(event), encode_audit_event(event))


class UserTopic:
    """The users of one installation.

    Attributes
    ----------
    clients
        Of the installation.
    """

    def __init__(self, settings: Settings) -> None:
        self._names = Topics(settings.topic_prefix)
        _, config = connect(settings, self._names.users, self._names.audit)
        self.clients = Clients(config)

    def read(self) -> UserBook:
        """Return the users as they are now."""
        book = UserBook()
        reader = PartitionReader(self.clients, self._names.users, 0)
        for messages in reader.read_to_end():
            for message in messages:
                book.take(message.key() or b"", message.value())
        reader.close()
        return book

    def put(self, user: ConsoleUser, signed: Signature) -> None:
        """Put a user in place of whoever had the name; raises `EditError`."""
        self._write(user.name, encode_user(user), "user_put", signed, f"{user.name}: {user.role}")

    def remove(self, name: str, signed: Signature) -> None:
        """Take a user away.

        Raises
        ------
        UserRefusedError
            When there is none of this name.
        EditError
            When nothing was written, or nobody knows.
        """
        if name not in self.read().records:
            raise UserRefusedError(f"{name}: there is no such user; `chargewatch users list`")
        self._write(name, None, "user_removed", signed, name)

    def close(self) -> None:
        """Disconnect: nothing is open between two edits."""

    def _write(
        self, name: str, value: bytes | None, action: AuditAction, signed: Signature, subject: str
    ) -> None:
        editor = Editor(self.clients, self._names.users)
        record = Written(self._names.users, name.encode(), value)
        editor.write([record], [audited(action, signed, subject, self._names)])
