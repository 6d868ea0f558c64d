"""A rule in words, with what a charge has filled in: why a rule decided it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agents.rules.attributes import ATTRIBUTES, Attributes
from agents.rules.literals import number_text, quoted_pattern
from agents.rules.nodes import (
    Among,
    And,
    Arithmetic,
    Attribute,
    Boolean,
    Comparison,
    Like,
    Listed,
    Metadata,
    Missing,
    Negative,
    Not,
    Number,
    Or,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.rules.nodes import Condition, Value
    from agents.rules.rule import Rule

    Test = Comparison | Among | Listed | Like | Missing

_VERBS: Final = {
    "=": "is",
    "!=": "is not",
    "<": "is below",
    "<=": "is at most",
    ">": "is above",
    ">=": "is at least",
}
_OPPOSITES: Final = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_SHOWN: Final = 40
"""Characters of a text that are shown."""

_ITEMS: Final = 5
"""Values of a list that are shown."""


def describe(rule: Rule, row: Mapping[str, object], attributes: Attributes = ATTRIBUTES) -> str:
    """Return the condition of a rule in words, with the values of a charge.

    Parameters
    ----------
    rule
        The rule.
    row
        What it names (`agents.rules.nodes.keys_of`), as `EventColumns.row` returns it. A value that
        is not there is not told, and one that is `None` is missing. Tokens are not told either.
    attributes
        By which the rule was checked.

    Examples
    --------
    >>> from agents.rules.rule_set import parse
    >>> text = "block if :card_country: != :ip_country: and :amount_usd: > 200"
    >>> [rule] = parse(text).rules
    >>> describe(rule, {"card_country": "DE", "ip_country": "US", "amount_usd": 250.0})
    'card country (DE) is not ip country (US), and amount in US dollars (250.00) is above 200'
    """
    return _Words(row, attributes).condition(rule.condition)


class _Words:
    """Puts conditions of one charge into words."""

    def __init__(self, row: Mapping[str, object], attributes: Attributes) -> None:
        self._row = row
        self._attributes = attributes

    def condition(self, node: Condition, *, is_negated: bool = False) -> str:
        """Return a condition, or the opposite of it."""
        match node:
            case And(operands) | Or(operands):
                word = ", and " if isinstance(node, And) else ", or "
                text = word.join(map(self._part, operands))
                return f"not ({text})" if is_negated else text
            case Not(operand):
                return self.condition(operand, is_negated=not is_negated)
            case Boolean() | Attribute() | Metadata():
                return f"not {self._value(node)}" if is_negated else self._value(node)
            case _:
                return self._test(node, is_negated)

    def _part(self, node: Condition) -> str:
        """Return one of several conditions that are joined."""
        text = self.condition(node)
        return f"({text})" if isinstance(node, (And, Or)) else text

    def _test(self, node: Test, is_negated: bool) -> str:
        if isinstance(node, Comparison):
            operator = _OPPOSITES[node.operator] if is_negated else node.operator
            return f"{self._value(node.left)} {_VERBS[operator]} {self._value(node.right)}"
        value, verb = self._value(node.value), "is not" if is_negated else "is"
        match node:
            case Among(_, items):
                shown = ", ".join(map(str, items[:_ITEMS]))
                others = f" and {len(items) - _ITEMS} others" if len(items) > _ITEMS else ""
                return f"{value} {verb} one of {shown}{others}"
            case Listed(_, name):
                return f"{value} {verb} on the list {name}"
            case Like(_, pattern):
                does = "does not match" if is_negated else "matches"
                return f"{value} {does} {quoted_pattern(pattern)}"
            case Missing(named):
                if isinstance(named, (Attribute, Metadata)):
                    value = self._name(named)
                return f"{value} {verb} missing"

    def _value(self, node: Value) -> str:
        match node:
            case Attribute() | Metadata():
                return self._name(node) + self._filled_in(node)
            case Negative(operand):
                return f"-({self._value(operand)})"
            case Arithmetic(operator, left, right):
                sides = (self._side(left), operator, self._side(right))
                return " ".join(sides)
            case Number() | Text() | Boolean():
                return str(node)

    def _side(self, node: Value) -> str:
        text = self._value(node)
        return f"({text})" if isinstance(node, Arithmetic) else text

    def _name(self, node: Attribute | Metadata) -> str:
        return node.name if isinstance(node, Metadata) else self._attributes[node.name].words

    def _filled_in(self, node: Attribute | Metadata) -> str:
        """Return the value of an attribute, in parentheses; nothing where it is not told."""
        attribute = None if isinstance(node, Metadata) else self._attributes[node.name]
        if node.key not in self._row or (attribute and attribute.is_token):
            return ""
        match self._row[node.key]:
            case None:
                return " (missing)"
            case bool(value):
                return f" ({'true' if value else 'false'})"
            case int(value) | float(value):
                text = format(value, attribute.form) if attribute else number_text(float(value))
                return f" ({text})"
            case value:
                text = str(value)
                return f" ({text if len(text) <= _SHOWN else text[:_SHOWN] + '...'})"
