"""From the tokens of a line to the tree of a rule, or to the place where it is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lark import Token, Tree
from lark.exceptions import UnexpectedToken

from agents.rules.grammar import begin
from agents.rules.hints import explain, strange
from agents.rules.mistakes import Flaw, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.rules.grammar import Syntax

PARENTHESES_MAX: Final = 50
"""Parentheses within each other."""


def tree_of(line: str, tokens: Sequence[Token]) -> Syntax | list[Flaw]:
    """Return the tree of a rule, or why it is none.

    Parameters
    ----------
    line
        The line.
    tokens
        Of it, one or more, without a comment.
    """
    flaws = [flaw for token in tokens if (flaw := strange(token))]
    if not flaws:
        flaws = _too_deep(tokens)
    if flaws:
        return flaws
    state = begin(line)
    end = Token.new_borrow_pos("$END", "", tokens[-1])
    for place, token in enumerate([*tokens, end]):
        try:
            result = state.feed_token(token)
        except UnexpectedToken as unexpected:
            return [explain(tokens, place, frozenset(unexpected.expected))]
    assert isinstance(result, Tree)
    return result


def _too_deep(tokens: Sequence[Token]) -> list[Flaw]:
    depth = 0
    for token in tokens:
        depth += {"_LEFT": 1, "RIGHT": -1}.get(token.type, 0)
        if depth > PARENTHESES_MAX:
            at = Span(token.start_pos or 0, token.end_pos or 0)
            message = f"expected at most {PARENTHESES_MAX} parentheses within each other"
            return [Flaw(at, message, "write several rules")]
    return []
