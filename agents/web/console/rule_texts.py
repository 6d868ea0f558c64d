"""Texts of rules as pages get and compare them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from agents.rules.list_names import without_entries
from agents.rules.mistakes import Mistake, RuleErrors
from agents.rules.rule_set import parse
from agents.web.problems import Problem
from schemas.fields import Identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.rules.rule import Rule
    from agents.terminal.policy_topics import PolicyTopics
    from agents.web.console.visit import Visit


@dataclass(frozen=True, slots=True)
class Checked:
    """A text of rules, looked at.

    Attributes
    ----------
    rules
        What is in it; empty if anything is wrong.
    mistakes
        What is.
    warnings
        Of what is allowed, and probably meant otherwise.
    changes
        Lines that differ from what is in force, each with its sign.
    """

    rules: Sequence[Rule]
    mistakes: Sequence[Mistake]
    warnings: Sequence[str]
    changes: Sequence[str]


def check(topics: PolicyTopics, merchant: str, text: str) -> Checked:
    """Look at a text that is to take the place of what is in force."""
    record = topics.rules().records.get(merchant)
    changes = differences(record.text if record else "", text)
    try:
        rules = parse(text)
    except RuleErrors as error:
        return Checked((), error.mistakes, (), changes)
    warnings = without_entries(rules, topics.lists().sizes) if rules.lists else []
    return Checked(rules.rules, (), warnings, changes)


def differences(before: str, after: str) -> list[str]:
    """Return the lines that differ, with `+` or `-`, and those around them."""
    heads = 2  # names of files
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2))
    return [line for line in lines[heads:] if not line.startswith("@@")]


def sent_text(visit: Visit) -> str:
    """Return the text of an editor: browsers end its lines with CR LF."""
    return visit.field("text").replace("\r\n", "\n")


def merchant_named(given: str) -> str:
    """Return a merchant, or `*` for all.

    Raises
    ------
    Problem
        When no merchant can have this name.
    """
    try:
        return msgspec.convert(given, Identifier)
    except msgspec.ValidationError:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "merchant: expected 1 to 128 characters"
        ) from None


def rules_path(merchant: str, **more: str) -> str:
    """Return where the rules of a merchant are.

    >>> rules_path("*"), rules_path("m1", proposal="0123456789abcdef")
    ('/rules?merchant=%2A', '/rules?merchant=m1&proposal=0123456789abcdef')
    """
    return f"/rules?{urlencode({'merchant': merchant, **more})}"
