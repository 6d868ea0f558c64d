"""Names of lists that rules ask for and that have no entries: probably other ones were meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.rules.mistakes import nearest, shortened
from agents.rules.nodes import lists_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from agents.rules.rule_set import RuleSet


def without_entries(rules: RuleSet, lists: Collection[str]) -> list[str]:
    """Return a warning for each list that rules ask for and that has no entries.

    Parameters
    ----------
    rules
        The rules.
    lists
        The names of those that have entries.

    Examples
    --------
    >>> from agents.rules.rule_set import parse
    >>> rules = parse("block if :card: in @blockd_cards")
    >>> without_entries(rules, ["blocked_cards"])
    ['line 1: @blockd_cards has no entries: did you mean @blocked_cards?']
    >>> without_entries(rules, [])
    ['line 1: @blockd_cards has no entries: nothing is on it']
    """
    return [
        f"line {line}: {shortened(f'@{name}')} has no entries: {_meant(name, lists)}"
        for name, line in _first_lines(rules).items()
        if name not in lists
    ]


def _first_lines(rules: RuleSet) -> dict[str, int]:
    """Return the first line that asks for each list."""
    lines: dict[str, int] = {}
    for rule in rules.rules:
        for name in lists_of(rule.condition):
            lines.setdefault(name, rule.line)
    return lines


def _meant(name: str, lists: Collection[str]) -> str:
    meant = nearest(name, sorted(lists))
    return f"did you mean @{meant}?" if meant else "nothing is on it"
