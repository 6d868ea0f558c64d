"""The topics of what merchants decide, as commands read and edit them."""

from __future__ import annotations

import getpass
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from agents.policy.book import MerchantsBook, RulesBook
from agents.policy.edits import Signature, change_of, version_before
from agents.policy.list_edits import ListsBook
from agents.policy.proposals import ProposalBook
from agents.stages.tasks import terms_of
from agents.terminal.connection import connect
from schemas.card_numbers import mask
from schemas.changes import Change, change_key, decode_change, encode_change
from schemas.lists import ListEntry, decode_list_change, encode_list_entry, list_key
from schemas.merchants import MerchantSettings, encode_merchant
from schemas.proposals import encode_proposal
from schemas.rejected import InvalidEvent
from schemas.rules import MerchantRules, encode_rules
from streams.kafka.clients import Clients
from streams.kafka.editor import EditError, Editor, Written
from streams.kafka.partition_reader import PartitionReader
from streams.kafka.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agents.policy.proposals import ProposalEdit
    from agents.settings.schema import Settings
    from schemas.changes import Kind


def signature(by: str | None, note: str) -> Signature:
    """Return who edits now: the user of this machine where nobody is named.

    What looks like a card number is masked: it would stay in the log of changes for ever.
    """
    return Signature(mask(by or _user()), time.time(), mask(note))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container a user may have no name
        return f"uid {os.getuid()}"


class PolicyTopics:
    """The topics of rules, lists, merchants' settings and of their changes, of one installation.

    What is on them is read once, and later only what has come since: of one thread at a time.

    Attributes
    ----------
    clients, names
        Of the installation.
    """

    def __init__(self, settings: Settings) -> None:
        self.names = Topics(settings.topic_prefix)
        names = self.names
        _, config = connect(settings, names.rules, names.lists, names.merchants, names.changes)
        self.clients = Clients(config)
        self._readers: dict[str, PartitionReader] = {}
        self._rules, self._lists, self._proposals = RulesBook(), ListsBook(), ProposalBook()
        self._merchants = MerchantsBook(terms_of(settings))
        self._changes: dict[bytes, Change] = {}

    def read(self) -> None:
        """Read all that there is now: from here on, only what has come since has to be read."""
        self.rules()
        self.merchants()
        self.lists()
        self.proposals()
        self._all_changes()

    def rules(self) -> RulesBook:
        """Return the rules as they are now."""
        self._read(self.names.rules, self._rules)
        return self._rules

    def merchants(self) -> MerchantsBook:
        """Return the settings of merchants as they are now."""
        self._read(self.names.merchants, self._merchants)
        return self._merchants

    def lists(self) -> ListsBook:
        """Return the entries of all lists as they are now."""
        book = self._lists
        for key, value in self._records(self.names.lists):
            with suppress(InvalidEvent):
                change = decode_list_change(key, value)
                if isinstance(change, ListEntry):
                    book.entries[change.list, change.value] = change
                else:
                    book.entries.pop((change.list, change.value), None)
        return book

    def changes(self, kind: Kind, key: str | None = None) -> list[Change]:
        """Return the changes of a kind, of one key where it is given, the oldest first."""
        return [
            each for each in self._all_changes() if each.kind == kind and key in {None, each.key}
        ]

    def edit_rules(self, edit: Callable[[RulesBook], MerchantRules]) -> MerchantRules:
        """Make an edit of what is there, and return the record that was written."""
        editor = self._editor()
        made = edit(self.rules())
        change = change_of("rules", made.merchant, made)
        self._write(editor, self.names.rules, encode_rules(made), change)
        return made

    def proposals(self) -> ProposalBook:
        """Return the proposals of rules as they are now."""
        for key, value in self._records(self.names.proposals):
            self._proposals.take(key, value)
        return self._proposals

    def edit_proposals(
        self,
        edit: Callable[[ProposalBook, RulesBook], ProposalEdit],
        told: Callable[[ProposalEdit], Written],
    ) -> ProposalEdit:
        """Propose rules, or decide about it: with what `told` tells of it, and all or nothing."""
        editor = self._editor()
        made = edit(self.proposals(), self.rules())
        key, value = made.proposal.id.encode(), encode_proposal(made.proposal)
        records = [Written(self.names.proposals, key, value)]
        if (rules := made.rules) is not None:
            merchant = rules.merchant.encode()
            records.append(self._told(change_of("rules", rules.merchant, rules)))
            records.append(Written(self.names.rules, merchant, encode_rules(rules)))
        editor.write(records, [told(made)])
        return made

    def edit_merchants(self, edit: Callable[[MerchantsBook], MerchantSettings]) -> MerchantSettings:
        """Make an edit of what is there, and return the record that was written."""
        editor = self._editor()
        made = edit(self.merchants())
        change = change_of("merchants", made.merchant, made)
        self._write(editor, self.names.merchants, encode_merchant(made), change)
        return made

    def edit_lists(
        self, edit: Callable[[ListsBook], Sequence[ListEntry]], what: Change | None = None
    ) -> Sequence[ListEntry]:
        """Make an edit of what is there, and return the entries that were written.

        `what` is told in the log in place of each of many entries.
        """
        editor = self._editor()
        made = edit(self.lists())
        told = [what] if what else [_change_of_entry(entry) for entry in made]
        entries = [self._entry(entry) for entry in made]
        editor.write([*map(self._told, told), *entries])
        return made

    def take_off(
        self, name: str, value: str, signed: Signature, made_from: int | None = None
    ) -> bool:
        """Take a value off a list with all that is known of it; return whether it was there.

        Raises
        ------
        StaleEditError
            As `agents.policy.list_edits.put_entry`.
        """
        editor = self._editor()
        found = self.lists().entries.get((name, value))
        if found is None:
            return False
        key = list_key(name, value)
        version = version_before(found, made_from, f"{value} on @{name}")
        change = Change("lists", key.decode(), version + 1, version, **signed._asdict())
        editor.write([self._told(change), Written(self.names.lists, key, None)])
        return True

    def close(self) -> None:
        """Disconnect."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def _editor(self) -> Editor:
        return Editor(self.clients, self.names.changes)

    def _write(self, editor: Editor, topic: str, value: bytes, change: Change) -> None:
        editor.write([self._told(change), Written(topic, change.key.encode(), value)])

    def _entry(self, entry: ListEntry) -> Written:
        try:
            value = encode_list_entry(entry)
        except InvalidEvent as error:
            raise EditError(f"nothing was changed: {error}") from None
        return Written(self.names.lists, list_key(entry.list, entry.value), value)

    def _told(self, change: Change) -> Written:
        return Written(self.names.changes, change_key(change), encode_change(change))

    def _read(self, topic: str, book: RulesBook | MerchantsBook) -> None:
        """Read a topic to its end; what a worker would not use is passed over as it does."""
        for key, value in self._records(topic):
            with suppress(InvalidEvent):
                book.take(key, value)
        if book.lost:
            book.recover(self._all_changes())

    def _all_changes(self) -> list[Change]:
        """Return all changes, each key's oldest first."""
        for key, value in self._records(self.names.changes):
            if value is not None:
                with suppress(InvalidEvent):
                    self._changes[key] = decode_change(value)
        return [self._changes[key] for key in sorted(self._changes)]

    def _records(self, topic: str) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield what has come to a topic since it was last read."""
        if topic not in self._readers:
            self._readers[topic] = PartitionReader(self.clients, topic, 0)
        for messages in self._readers[topic].read_to_end():
            for message in messages:
                yield message.key() or b"", message.value()


def _change_of_entry(entry: ListEntry) -> Change:
    key = list_key(entry.list, entry.value).decode()
    record = msgspec.to_builtins(entry)
    return Change(
        "lists", key, entry.version, entry.made_from, entry.by, entry.at, entry.note, record
    )
