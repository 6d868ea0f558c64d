"""The check of what a rule says: there are such attributes, and types go together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from agents.rules.attributes import ANY, RESERVED
from agents.rules.mistakes import Flaw, Span, nearest, shortened
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
from schemas.lists import NAME_CHARACTERS_MAX

if TYPE_CHECKING:
    from agents.rules.attributes import Attributes, Texts
    from agents.rules.nodes import Condition, Expression, Type, Value

Item = TypeVar("Item", bound="Value")

_ARTICLE = {"number": "a number", "text": "a text", "boolean": "true or false"}


class Check:
    """Checks the conditions of one line.

    Parameters
    ----------
    attributes
        Those that there are.

    Attributes
    ----------
    flaws
        What was found to be wrong, in the order of the line.
    """

    def __init__(self, attributes: Attributes) -> None:
        self._attributes = attributes
        self._of_hashes = {
            Attribute(each.name) for each in attributes.values() if not each.has_text
        }
        self.flaws: list[Flaw] = []

    def condition(self, node: Expression) -> Condition:
        """Check a condition, and return it with its texts as its attributes have them."""
        match node:
            case And(operands) | Or(operands):
                return replace(node, operands=tuple(map(self.condition, operands)))
            case Not(operand):
                return replace(node, operand=self.condition(operand))
            case Boolean() | Attribute() | Metadata():
                self._alone(node)
                return node
            case Number() | Text() | Negative() | Arithmetic():
                self._no_condition(node)
                return Boolean(value=False)
            case _:
                return self._test(node)

    def _test(self, node: Comparison | Among | Listed | Like | Missing) -> Condition:
        match node:
            case Comparison():
                return self._comparison(node)
            case Among():
                return self._among(node)
            case Listed(value, name):
                self._in_list(node.at, name, value)
                return node
            case Like(value, pattern):
                self._like(value)
                return replace(node, pattern=self._texts(value).fold(pattern))
            case Missing(value):
                self._type(value)
                return node

    def known(self, node: Attribute | Metadata) -> None:
        """Check that there is such an attribute, or that metadata can have such a name."""
        if isinstance(node, Attribute):
            if node.name not in self._attributes:
                meant = nearest(node.name, self._attributes)
                self._add(
                    node.at,
                    f"there is no attribute {_shown(node)}",
                    f"did you mean :{meant}:?"
                    if meant
                    else "a field that Chargewatch does not know stands between :: and ::",
                )
        elif node.name in RESERVED:
            meant = {"charge": "id"}.get(node.name, node.name)
            self._add(
                node.at,
                f"{node.key} is no metadata: events have a field of that name",
                f"did you mean :{meant}:?" if meant in self._attributes else "rename it",
            )

    def _add(self, at: Span, message: str, suggestion: str = "") -> None:
        self.flaws.append(Flaw(at, message, suggestion))

    def _type(self, node: Expression) -> Type | None:
        """Check a value and return its type, `None` for one of any or of an unknown type."""
        match node:
            case Number() | Text() | Boolean():
                return node.type
            case Attribute(name):
                self.known(node)
                return self._attributes[name].type if name in self._attributes else None
            case Metadata():
                self.known(node)
                return None
            case Negative() | Arithmetic():
                operands = [node.operand] if isinstance(node, Negative) else [node.left, node.right]
                for operand in operands:
                    self._is_number(operand)
                return "number"
            case _:
                self._add(node.at, "this is a condition, where a value is expected")
                return None

    def _is_number(self, node: Value) -> None:
        kind = self._type(node)
        if kind not in {"number", None}:
            self._add(node.at, f"sums are of numbers: {_shown(node)} is {_ARTICLE[str(kind)]}")

    def _comparison(self, node: Comparison) -> Comparison:
        left, right = self._type(node.left), self._type(node.right)
        if node.operator not in {"=", "!="}:
            for side, kind in ((node.left, left), (node.right, right)):
                if kind not in {"number", None}:
                    of = "a text has no order" if kind == "text" else "true and false have no order"
                    suggestion = _without_quotes("number", side) or "compare it with = or !="
                    self._add(side.at, f"{of}: {_shown(side)}", suggestion)
        elif left != right and left and right:
            self._differ(node.left, left, node.right, right)
        texts = self._texts(node.left, node.right)
        return replace(
            node, left=self._folded(node.left, texts), right=self._folded(node.right, texts)
        )

    def _among(self, node: Among) -> Among:
        kind = self._type(node.value)
        for item in node.items:
            of_item = self._type(item)
            if kind and of_item != kind:
                self._differ(node.value, kind, item, of_item)
            kind = kind or of_item
        texts = self._texts(node.value)
        return replace(node, items=tuple(self._folded(item, texts) for item in node.items))

    def _in_list(self, at: Span, name: str, value: Value) -> None:
        if len(name) > NAME_CHARACTERS_MAX:
            message = f"expected at most {NAME_CHARACTERS_MAX} characters in the name of a list"
            self._add(Span(at.stop - len(f"@{name}"), at.stop), message)
        if self._type(value) == "boolean":
            message = f"lists are of texts and numbers: {_shown(value)} is true or false"
            self._add(value.at, message, "compare it with = or !=")

    def _like(self, value: Value) -> None:
        kind = self._type(value)
        if kind not in {"text", None}:
            self._add(value.at, f"like is for texts: {_shown(value)} is {_ARTICLE[str(kind)]}")
        elif not isinstance(value, (Attribute, Metadata)):
            self._add(value.at, f"like is for attributes: {_shown(value)} is always the same")
        elif value in self._of_hashes:
            message = f"{_shown(value)} is kept as a hash, which has no pattern"
            self._add(value.at, message, "compare it with = or in")

    def _alone(self, node: Boolean | Attribute | Metadata) -> None:
        if self._type(node) not in {"boolean", None}:
            self._no_condition(node)

    def _no_condition(self, node: Expression) -> None:
        kind = self._type(node)
        if kind:
            example = '= "..."' if kind == "text" else "> 0"
            message = f"{_shown(node)} is {_ARTICLE[kind]}, and no condition"
            self._add(node.at, message, f"compare it, such as {_shown(node)} {example}")

    def _differ(self, one: Value, kind: Type, other: Value, of_other: Type | None) -> None:
        """Tell that two values of different types are compared, where the constant is."""
        if of_other is None:
            return
        if isinstance(one, (Number, Text, Boolean)):
            one, kind, other, of_other = other, of_other, one, kind
        suggestion = _without_quotes(kind, other)
        if isinstance(other, Number) and kind == "text":
            suggestion = f'did you mean "{_shown(other)}"?'
        elif isinstance(other, Number) and kind == "boolean" and other.value in {0.0, 1.0}:
            suggestion = f"did you mean {'true' if other.value else 'false'}?"
        message = f"{_shown(one)} is {_ARTICLE[kind]}, and {_shown(other)} is {_ARTICLE[of_other]}"
        self._add(other.at, message, suggestion)

    def _texts(self, *nodes: Value) -> Texts:
        """Return which texts the first attribute among some values can be."""
        for node in nodes:
            if isinstance(node, Attribute) and node.name in self._attributes:
                return self._attributes[node.name].texts
        return ANY

    def _folded(self, node: Item, texts: Texts) -> Item:
        """Check a text against what its attribute can be, and return it as that has it."""
        if not isinstance(node, Text):
            return node
        folded = texts.fold(node.value)
        if not texts.is_one(folded):
            meant = nearest(folded, texts.choices)
            suggestion = f'did you mean "{meant}"?' if meant else ""
            self._add(node.at, f"expected {texts.expected}, got {_shown(node)}", suggestion)
        return replace(node, value=folded)


def _without_quotes(kind: Type, node: Value) -> str:
    """Suggest a number, or true or false, in place of a text that says it."""
    if not isinstance(node, Text):
        return ""
    text = node.value.lower()
    is_number = text.isascii() and text.replace(".", "", 1).isdigit()
    is_one = is_number if kind == "number" else kind == "boolean" and text in {"true", "false"}
    return f"did you mean {text}, without quotes?" if is_one else ""


def _shown(node: Expression) -> str:
    return shortened(str(node))
