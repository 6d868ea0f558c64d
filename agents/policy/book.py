"""What is on the topics `rules` and `merchants`: the last good record of each key."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from agents.policy.active_rules import ActiveRules, MerchantRuleSet
from agents.policy.terms import Terms, TermsTable
from agents.rules.mistakes import RuleErrors
from agents.rules.rule_set import RuleSet, parse
from schemas.edits import EVERYONE
from schemas.merchants import MerchantSettings, decode_merchant
from schemas.rejected import InvalidEvent
from schemas.rules import MerchantRules, decode_rules
from streams.errors import OperationalError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.changes import Change, Kind

Record = TypeVar("Record", MerchantRules, MerchantSettings)


class SettingsRefusedError(OperationalError):
    """A merchant's settings that cannot be."""


class Book(ABC, Generic[Record]):
    """The records of a topic by merchant.

    Attributes
    ----------
    kind
        Of its changes.
    records
        The last good one of each merchant.
    lost
        Merchants of which there is a record that cannot be used, and no good one before it: it may
        have been compacted away.
    """

    kind: Kind

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.lost: set[str] = set()

    def take(self, key: bytes, value: bytes | None) -> None:
        """Take a record in the order of the topic; a value of `None` removes what was there.

        Raises
        ------
        InvalidEvent
            When it cannot be used; what was there stays.
        """
        name = key.decode(errors="replace")
        self.lost.discard(name)
        if value is None:
            self.records.pop(name, None)
            return
        try:
            record = self.read(value)
            if record.merchant != name:
                raise InvalidEvent("key", f"merchant: expected {name!r}, got {record.merchant!r}")
        except InvalidEvent:
            if name not in self.records:
                self.lost.add(name)
            raise
        self.records[name] = record

    def recover(self, changes: Iterable[Change]) -> None:
        """Take of what is lost the last record of an edit that can be used.

        Parameters
        ----------
        changes
            Of each key the oldest first.
        """
        lost = set(self.lost)
        for change in changes:
            if change.kind == self.kind and change.key in lost and change.record is not None:
                with suppress(InvalidEvent):  # of another version, too: an earlier one may do
                    self.take(change.key.encode(), msgspec.json.encode(change.record))

    @abstractmethod
    def read(self, value: bytes) -> Record:
        """Return the record of a payload, or raise `InvalidEvent`."""


class RulesBook(Book[MerchantRules]):
    """The rules of all merchants."""

    kind = "rules"

    def __init__(self) -> None:
        super().__init__()
        self._parsed: dict[str, RuleSet] = {}

    def read(self, value: bytes) -> MerchantRules:
        """See `Book.read`; its rules are read, too."""
        record = decode_rules(value)
        try:
            self._parsed[record.text] = parse(record.text)
        except RuleErrors as error:
            raise InvalidEvent("type", f"text: {error}") from None
        return record

    def sets(self) -> dict[str, MerchantRuleSet]:
        """Return the sets in force, by merchant."""
        texts = {record.text for record in self.records.values()}
        self._parsed = {text: self._parsed[text] for text in texts}
        return {
            merchant: MerchantRuleSet(merchant, record.version, self._parsed[record.text])
            for merchant, record in self.records.items()
        }

    def active(self) -> ActiveRules:
        """Return the rules in force."""
        return ActiveRules(self.sets())


class MerchantsBook(Book[MerchantSettings]):
    """The settings of all merchants.

    Parameters
    ----------
    installed
        What holds where nothing else is set.
    """

    kind = "merchants"

    def __init__(self, installed: Terms) -> None:
        super().__init__()
        self._installed = installed

    def read(self, value: bytes) -> MerchantSettings:
        """See `Book.read`; its costs are checked, too."""
        try:
            return self.checked(decode_merchant(value))
        except SettingsRefusedError as error:
            raise InvalidEvent("range", str(error)) from None

    def checked(self, record: MerchantSettings) -> MerchantSettings:
        """Return a record that holds what can be set.

        Raises
        ------
        SettingsRefusedError
            When it does not; names the cost.
        """
        try:
            self._installed.under(record)
        except ValueError as error:
            raise SettingsRefusedError(f"costs: {error}") from None
        return record

    def terms_of(self, merchant: str) -> Terms:
        """Return the terms of a merchant, `EVERYONE` for those without settings of their own."""
        terms = self._installed
        for key in dict.fromkeys((EVERYONE, merchant)):
            if key in self.records:
                terms = terms.under(self.records[key])
        return terms

    def table(self) -> TermsTable:
        """Return the terms of all."""
        own = (merchant for merchant in self.records if merchant != EVERYONE)
        return TermsTable(
            self.terms_of(EVERYONE), {merchant: self.terms_of(merchant) for merchant in own}
        )
