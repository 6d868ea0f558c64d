"""The topics of what merchants decide, as commands read and edit them."""

from __future__ import annotations

import getpass
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from agents.policy.book import MerchantsBook, RulesBook
from agents.policy.edits import Signature, change_of
from agents.stages.tasks import terms_of
from agents.terminal.connection import connect
from agents.terminal.matured_charges import read_matured
from schemas.changes import Change, change_key, encode_change
from schemas.merchants import MerchantSettings, encode_merchant
from schemas.rejected import InvalidEvent
from schemas.rules import MerchantRules, encode_rules
from streams.kafka.change_log import read_changes
from streams.kafka.clients import Clients
from streams.kafka.editor import Editor, Written
from streams.kafka.partition_reader import PartitionReader
from streams.kafka.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agents.settings.schema import Settings
    from schemas.changes import Kind
    from streams.events.rows import Rows


def signature(by: str | None, note: str) -> Signature:
    """Return who edits now: the user of this machine where nobody is named."""
    return Signature(by or getpass.getuser(), time.time(), note)


class PolicyTopics:
    """The topics of rules, of merchants' settings and of their changes, of one installation."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._names = Topics(settings.topic_prefix)
        names = self._names
        _, config = connect(settings, names.rules, names.merchants, names.changes)
        self._clients = Clients(config)

    def rules(self) -> RulesBook:
        """Return the rules as they are now."""
        book = RulesBook()
        self._read(self._names.rules, book)
        return book

    def merchants(self) -> MerchantsBook:
        """Return the settings of merchants as they are now."""
        book = MerchantsBook(terms_of(self._settings))
        self._read(self._names.merchants, book)
        return book

    def changes(self, kind: Kind, key: str | None = None) -> list[Change]:
        """Return the changes of a kind, of one key where it is given, the oldest first."""
        changes = read_changes(self._clients, self._names.changes)
        return [each for each in changes if each.kind == kind and key in {None, each.key}]

    def matured(self) -> Iterator[Rows]:
        """Yield what is known of charges whose label horizon has passed, MATURED_CHARGE[N]."""
        return read_matured(self._clients, self._names)

    def edit_rules(self, edit: Callable[[RulesBook], MerchantRules]) -> MerchantRules:
        """Make an edit of what is there, and return the record that was written."""
        editor = self._editor()
        made = edit(self.rules())
        change = change_of("rules", made.merchant, made)
        self._write(editor, self._names.rules, encode_rules(made), change)
        return made

    def edit_merchants(self, edit: Callable[[MerchantsBook], MerchantSettings]) -> MerchantSettings:
        """Make an edit of what is there, and return the record that was written."""
        editor = self._editor()
        made = edit(self.merchants())
        change = change_of("merchants", made.merchant, made)
        self._write(editor, self._names.merchants, encode_merchant(made), change)
        return made

    def _editor(self) -> Editor:
        return Editor(self._clients, self._names.changes)

    def _write(self, editor: Editor, topic: str, value: bytes, change: Change) -> None:
        told = Written(self._names.changes, change_key(change), encode_change(change))
        editor.write([told, Written(topic, change.key.encode(), value)])

    def _read(self, topic: str, book: RulesBook | MerchantsBook) -> None:
        """Read a topic to its end; what a worker would not use is passed over as it does."""
        reader = PartitionReader(self._clients, topic, 0)
        for messages in reader.read_to_end():
            for message in messages:
                with suppress(InvalidEvent):
                    book.take(message.key() or b"", message.value())
        reader.close()
        if book.lost:
            book.recover(read_changes(self._clients, self._names.changes))
