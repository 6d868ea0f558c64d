"""What a condition is made of once it is read: conditions, and the values that they compare.

A node is equal to another that says the same, wherever in the text either stands. As a string it is
written in one way, from which the same node is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from agents.rules.literals import number_text, quoted, quoted_pattern
from agents.rules.mistakes import Span

Operator = Literal["=", "!=", "<", "<=", ">", ">="]
Sign = Literal["+", "-", "*", "/"]
Type = Literal["number", "text", "boolean"]

NOWHERE = Span(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Part of a rule; `at` is its place in the line.

    Examples
    --------
    >>> print(Not(Or((Missing(Metadata("shop")), Like(Attribute("id"), "a%")))))
    not (::shop:: is missing or :id: like "a%")
    """

    at: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A number, finite."""

    type: ClassVar[Type] = "number"
    value: float

    def __str__(self) -> str:
        return number_text(self.value)


@dataclass(frozen=True, slots=True)
class Text(Node):
    """A text in quotes, as it is meant."""

    type: ClassVar[Type] = "text"
    value: str

    def __str__(self) -> str:
        return quoted(self.value)


@dataclass(frozen=True, slots=True)
class Boolean(Node):
    """`true` or `false`."""

    type: ClassVar[Type] = "boolean"
    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"


@dataclass(frozen=True, slots=True)
class Attribute(Node):
    """`:name:`, an attribute of the table."""

    name: str

    @property
    def key(self) -> str:
        """What its column is asked for by."""
        return self.name

    def __str__(self) -> str:
        return f":{self.name}:"


@dataclass(frozen=True, slots=True)
class Metadata(Node):
    """`::name::`, a field of the charge that Chargewatch does not know, of any type."""

    name: str

    @property
    def key(self) -> str:
        """What its column is asked for by; no attribute has such a name."""
        return f"::{self.name}::"

    def __str__(self) -> str:
        return self.key


@dataclass(frozen=True, slots=True)
class Negative(Node):
    """A value with its sign changed; of a number, a number is written instead."""

    operand: Value

    def __str__(self) -> str:
        return f"-{_enclosed(self.operand, isinstance(self.operand, Arithmetic))}"


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """A sum, difference, product or quotient."""

    operator: Sign
    left: Value
    right: Value

    def __str__(self) -> str:
        is_product = self.operator in "*/"
        left, right = (
            side.operator if isinstance(side, Arithmetic) else ""
            for side in (self.left, self.right)
        )
        one = _enclosed(self.left, is_product and left in {"+", "-"})
        other = _enclosed(self.right, right in {"+", "-"} or (is_product and right != ""))
        return f"{one} {self.operator} {other}"


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """Two values compared."""

    operator: Operator
    left: Value
    right: Value

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"


@dataclass(frozen=True, slots=True)
class Among(Node):
    """A value in a list that is written out."""

    value: Value
    items: tuple[Constant, ...]

    def __str__(self) -> str:
        return f"{self.value} in ({', '.join(map(str, self.items))})"


@dataclass(frozen=True, slots=True)
class Listed(Node):
    """A value on a named list."""

    value: Value
    name: str

    def __str__(self) -> str:
        return f"{self.value} in @{self.name}"


@dataclass(frozen=True, slots=True)
class Like(Node):
    """A text that has a pattern, see `agents.rules.patterns`."""

    value: Value
    pattern: str

    def __str__(self) -> str:
        return f"{self.value} like {quoted_pattern(self.pattern)}"


@dataclass(frozen=True, slots=True)
class Missing(Node):
    """A value that is missing."""

    value: Value

    def __str__(self) -> str:
        return f"{self.value} is missing"


@dataclass(frozen=True, slots=True)
class Not(Node):
    """What a condition is not."""

    operand: Condition

    def __str__(self) -> str:
        return f"not {_enclosed(self.operand, isinstance(self.operand, (And, Or)))}"


@dataclass(frozen=True, slots=True)
class And(Node):
    """All of some conditions, two or more."""

    operands: tuple[Condition, ...]

    def __str__(self) -> str:
        return " and ".join(_enclosed(each, isinstance(each, (And, Or))) for each in self.operands)


@dataclass(frozen=True, slots=True)
class Or(Node):
    """Any of some conditions, two or more."""

    operands: tuple[Condition, ...]

    def __str__(self) -> str:
        return " or ".join(_enclosed(each, isinstance(each, (And, Or))) for each in self.operands)


Constant = Number | Text | Boolean
Value = Number | Text | Boolean | Attribute | Metadata | Negative | Arithmetic
Condition = (
    Comparison | Among | Listed | Like | Missing | Not | And | Or | Attribute | Metadata | Boolean
)
"""A condition; an attribute alone is one if it is true or false."""

Expression = Value | Condition


def keys_of(node: Expression) -> set[str]:
    """Return what a condition names: the keys of its attributes and metadata.

    Examples
    --------
    >>> sorted(keys_of(Comparison("=", Attribute("mcc"), Metadata("shop"))))
    ['::shop::', 'mcc']
    """
    match node:
        case Attribute() | Metadata():
            return {node.key}
        case And(operands) | Or(operands):
            return set().union(*map(keys_of, operands))
        case Comparison() | Arithmetic():
            return keys_of(node.left) | keys_of(node.right)
        case Not(operand) | Negative(operand):
            return keys_of(operand)
        case Among() | Listed() | Like() | Missing():
            return keys_of(node.value)
        case _:
            return set()


def lists_of(node: Condition) -> list[str]:
    """Return the named lists that a condition asks for, in order.

    Examples
    --------
    >>> lists_of(Not(Or((Listed(Attribute("card"), "a"), Listed(Metadata("shop"), "b")))))
    ['a', 'b']
    """
    match node:
        case And(operands) | Or(operands):
            return [name for operand in operands for name in lists_of(operand)]
        case Not(operand):
            return lists_of(operand)
        case Listed():
            return [node.name]
        case _:
            return []


def _enclosed(node: Expression, is_enclosed: bool) -> str:
    """Return a node as it is written, in parentheses if it is to be."""
    return f"({node})" if is_enclosed else str(node)
