"""All that decides charges beside the model: rules, lists, and the terms of merchants."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from agents.policy.active_rules import ActiveRules
from agents.rules.figures import NO_FIGURES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.policy.terms import TermsTable
    from agents.rules.columns import MemberList
    from agents.rules.figures import Figures


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds from one change to the next; a batch is decided under one policy.

    Attributes
    ----------
    terms
        Of all merchants.
    rules
        In force.
    lists
        The named lists.
    figures
        Of the installation.
    """

    terms: TermsTable
    rules: ActiveRules = field(default_factory=ActiveRules)
    lists: Mapping[str, MemberList] = field(default_factory=dict)
    figures: Figures = NO_FIGURES

    def under(self, rules: ActiveRules) -> Self:
        """Return this policy with other rules in force."""
        return replace(self, rules=rules)
