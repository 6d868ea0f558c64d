"""Policies of rules and settings as a merchant would write them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agents.policy.book import MerchantsBook, RulesBook
from agents.policy.policy import Policy
from agents.stages.tasks import figures_of, terms_of
from schemas.merchants import MerchantSettings, encode_merchant
from schemas.rules import MerchantRules, encode_rules

if TYPE_CHECKING:
    from agents.settings.schema import Settings


def policy_of(settings: Settings, *merchants: MerchantSettings, **rules: str) -> Policy:
    """Return a policy of settings of merchants, and of rules by merchant; `all_` is `*`."""
    terms, written = MerchantsBook(terms_of(settings)), RulesBook()
    for chosen in merchants:
        terms.take(chosen.merchant.encode(), encode_merchant(chosen))
    for name, text in rules.items():
        merchant = "*" if name == "all_" else name
        written.take(merchant.encode(), encode_rules(MerchantRules(merchant, 3, text)))
    policy = Policy(terms.table(), figures=figures_of(settings))
    return replace(policy, rules=written.active())
