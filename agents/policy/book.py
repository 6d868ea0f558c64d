"""What is on the topics `rules` and `merchants`: the last good record of each key."""

from __future__ import annotations

from agents.policy.active_rules import ActiveRules, MerchantRuleSet
from agents.policy.terms import Terms, TermsTable
from agents.rules.mistakes import RuleErrors
from agents.rules.rule_set import parse
from schemas.edits import EVERYONE
from schemas.merchants import MerchantSettings, decode_merchant
from schemas.rejected import InvalidEvent
from schemas.rules import MerchantRules, decode_rules


class RulesBook:
    """The rules of all merchants.

    Attributes
    ----------
    records
        By merchant.
    """

    def __init__(self) -> None:
        self.records: dict[str, MerchantRules] = {}
        self._sets: dict[str, MerchantRuleSet] = {}

    def take(self, key: bytes, value: bytes | None) -> None:
        """Take a record in the order of the topic; a value of `None` removes what was there.

        Raises
        ------
        InvalidEvent
            When it is none, or its rules cannot be read; what was there stays.
        """
        if value is None:
            for known in (self.records, self._sets):
                known.pop(key.decode(errors="replace"), None)
            return
        record = decode_rules(value)
        _check_key(key, record.merchant)
        try:
            rules = parse(record.text)
        except RuleErrors as error:
            raise InvalidEvent("type", f"text: {error}") from None
        self.records[record.merchant] = record
        self._sets[record.merchant] = MerchantRuleSet(record.merchant, record.version, rules)

    def active(self) -> ActiveRules:
        """Return the rules that are in force."""
        return ActiveRules(self._sets)


class MerchantsBook:
    """The settings of all merchants.

    Parameters
    ----------
    installed
        What holds where nothing else is set.

    Attributes
    ----------
    records
        By merchant.
    """

    def __init__(self, installed: Terms) -> None:
        self._installed = installed
        self.records: dict[str, MerchantSettings] = {}

    def take(self, key: bytes, value: bytes | None) -> None:
        """Do as `RulesBook.take` with the settings of a merchant."""
        if value is None:
            self.records.pop(key.decode(errors="replace"), None)
            return
        record = decode_merchant(value)
        _check_key(key, record.merchant)
        try:
            self._installed.under(record)
        except ValueError as error:
            raise InvalidEvent("range", f"costs: {error}") from None
        self.records[record.merchant] = record

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


def _check_key(key: bytes, merchant: str) -> None:
    if key != merchant.encode():
        raise InvalidEvent("key", f"merchant: expected that of the key, got {merchant!r}")
