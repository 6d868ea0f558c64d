"""From the tree of a rule to its nodes, with the numbers and texts that its tokens mean."""

from __future__ import annotations

import re
from math import isinf
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from lark import Token, Tree

from agents.rules.mistakes import Flaw, Span
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
    from agents.rules.grammar import Syntax
    from agents.rules.nodes import Condition, Expression, Operator, Sign
    from agents.rules.rule import Action

DEPTH_MAX: Final = 50
"""Levels of what a condition is made of; each sign of a sum is one."""

ITEMS_MAX: Final = 300
"""Values in a list that is written out."""

_ESCAPE: Final = re.compile(r"\\(u\{[0-9a-fA-F]{1,6}\}|.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t", '"': '"', "'": "'", "\\": "\\"}
_UNICODE_MAX: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)


class Built(NamedTuple):
    """What a rule says, and what is wrong in its numbers and texts."""

    is_shadow: bool
    action: Action
    condition: Condition
    flaws: list[Flaw]


def build(tree: Syntax) -> Built:
    """Return what the tree of a rule says.

    It goes from the leaves on, without recursion, so that no depth of a tree is too much.
    """
    flaws: list[Flaw] = []
    built: dict[int, Expression] = {}
    depths: dict[int, int] = {}
    for subtree in tree.iter_subtrees():
        if subtree is tree:
            break
        inner = [part for part in subtree.children if isinstance(part, Tree)]
        own = 0 if subtree.data == "parentheses" else 1
        depth = depths[id(subtree)] = own + max((depths[id(part)] for part in inner), default=0)
        parts = [built[id(part)] if isinstance(part, Tree) else part for part in subtree.children]
        at = Span(min(map(_start, parts)), max(map(_stop, parts)))
        built[id(subtree)] = _NODES[subtree.data](parts, at, flaws)
        if depth == DEPTH_MAX + 1:
            flaws.append(
                Flaw(at, f"expected at most {DEPTH_MAX} levels of conditions and signs", "")
            )
    *shadow, action, _, condition = tree.children
    return Built(
        bool(shadow),
        cast("Action", str(action).lower()),
        cast("Condition", built[id(condition)]),
        flaws,
    )


def _start(part: Token | Expression) -> int:
    return part.start_pos or 0 if isinstance(part, Token) else part.at.start


def _stop(part: Token | Expression) -> int:
    return part.end_pos or 0 if isinstance(part, Token) else part.at.stop


def _constant(parts: list[Any], at: Span, flaws: list[Flaw]) -> Expression:
    [token] = parts
    match token.type:
        case "NUMBER":
            return Number(_number(token, at, flaws), at=at)
        case "STRING":
            return Text(_text(token, flaws), at=at)
        case _:
            return Boolean(token.type == "TRUE", at=at)


def _negative(parts: list[Any], at: Span, flaws: list[Flaw]) -> Expression:
    _, operand = parts
    if isinstance(operand, Token):  # in a list
        return Number(-_number(operand, at, flaws), at=at)
    return (
        Number(-operand.value, at=at) if isinstance(operand, Number) else Negative(operand, at=at)
    )


def _comparison(parts: list[Any], at: Span, _flaws: list[Flaw]) -> Expression:
    left, sign, right = parts
    operator = cast("Operator", "!=" if sign == "<>" else str(sign))
    return Comparison(operator, left, right, at=at)


def _arithmetic(parts: list[Any], at: Span, _flaws: list[Flaw]) -> Expression:
    left, sign, right = parts
    return Arithmetic(cast("Sign", str(sign)), left, right, at=at)


def _among(parts: list[Any], at: Span, flaws: list[Flaw]) -> Expression:
    value, *items, _ = parts
    if len(items) > ITEMS_MAX:
        flaws.append(
            Flaw(
                Span(items[ITEMS_MAX].at.start, at.stop),
                f"expected at most {ITEMS_MAX} values in a list, got {len(items)}",
                "use a named list: in @name",
            )
        )
    return Among(value, tuple(items), at=at)


def _like(parts: list[Any], at: Span, flaws: list[Flaw]) -> Expression:
    value, pattern = parts
    return Like(value, _text(pattern, flaws, in_pattern="%_\\"), at=at)


def _conjunction(parts: list[Any], at: Span, _flaws: list[Flaw]) -> Expression:
    return And(tuple(parts), at=at)


def _disjunction(parts: list[Any], at: Span, _flaws: list[Flaw]) -> Expression:
    return Or(tuple(parts), at=at)


_NODES: Final[dict[str, Any]] = {
    "constant": _constant,
    "negative": _negative,
    "comparison": _comparison,
    "among": _among,
    "like": _like,
    "conjunction": _conjunction,
    "disjunction": _disjunction,
    "attribute": lambda parts, at, _: Attribute(parts[0].strip(":"), at=at),
    "metadata": lambda parts, at, _: Metadata(parts[0].strip(":"), at=at),
    "arithmetic": _arithmetic,
    "listed": lambda parts, at, _: Listed(parts[0], parts[1][1:], at=at),
    "missing": lambda parts, at, _: Missing(parts[0], at=at),
    "negation": lambda parts, at, _: Not(parts[1], at=at),
    "parentheses": lambda parts, _at, _flaws: parts[0],
}
"""What makes the node of a tree by the name that the grammar gives it."""


def _number(token: Token, at: Span, flaws: list[Flaw]) -> float:
    value = float(token)
    if isinf(value):
        flaws.append(Flaw(at, "the number is too large", "write one below 1.8e308"))
        return 0.0
    if value == 0.0 and re.search("[1-9]", re.split("[eE]", token)[0]):
        flaws.append(Flaw(at, "the number is too small to be told from 0", "write 0"))
    return value


def _text(token: Token, flaws: list[Flaw], in_pattern: str = "") -> str:
    """Return what a text in quotes says.

    In a pattern some characters have a meaning, and those that are escaped stay so.
    """

    def character(found: re.Match[str]) -> str:
        escape = found[1]
        code = int(escape[2:-1], 16) if escape.startswith("u{") else -1
        if 0 <= code <= _UNICODE_MAX and code not in _SURROGATES:
            meant = chr(code)
        elif escape in _ESCAPES:
            meant = _ESCAPES[escape]
        elif escape in in_pattern:
            meant = escape
        else:
            start = (token.start_pos or 0) + 1 + found.start()
            flaws.append(
                Flaw(
                    Span(start, start + len(found[0])),
                    f"{found[0]} stands for no character",
                    "write \\\\ for a backslash",
                )
            )
            return ""
        return f"\\{meant}" if meant in in_pattern else meant

    return _ESCAPE.sub(character, token[1:-1])
