"""What is wrong where a line stops to be a rule, and what was probably meant there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agents.rules.characters import look_alike
from agents.rules.mistakes import Flaw, Span, nearest, shortened
from agents.rules.rule import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lark import Token

_MEANT: Final = {
    "==": "=", "===": "=", "=>": ">=", "=<": "<=", "!==": "!=", "!": "not", "&&": "and",
    "&": "and", "||": "or", "|": "or", "[": "(", "]": ")", "{": "(", "}": ")",
}  # fmt: skip
"""Signs of other languages, and what is written in a rule."""

_WORDS: Final = {
    "null": "is missing", "none": "is missing", "nil": "is missing", "empty": "is missing",
    "exists": "not ... is missing", "equals": "=", "eq": "=", "contains": 'like "%...%"',
    "includes": 'like "%...%"', "between": ">= ... and ... <=", "xor": "and, or, not",
}  # fmt: skip
"""Words of other languages, likewise."""

_KEYWORDS: Final = ("and", "or", "not", "in", "like", "is missing", "true", "false")
_ONE_LINE: Final = "a rule is one line: if this belongs to the line above, write it there"
_CONDITION: Final = "write a condition behind it, such as `block if :amount_usd: > 200`"

_EXPECTED: Final = {
    "FIELD": "an attribute, a number, a text in quotes or a parenthesis",
    "COMPARISON": "a comparison such as `= 5`",
    "_AND": "`and`, `or` or the end of the line",
    "MISSING": "`missing`",
    "STRING": "a text in quotes",
    "NUMBER": "a number, a text in quotes, `true` or `false`",
    "LIST": "`(...)` or `@name`",
    "_COMMA": "a comma or `)`",
    "IF": "`if`",
}
"""What is told of what is expected, by a token that can come; the first of these that can."""

_OPENING, _CLOSING = "_LEFT", "RIGHT"
_VALUES: Final = frozenset({"FIELD", "METADATA", "NUMBER", "STRING", "TRUE", "FALSE", "_LEFT"})


@dataclass(frozen=True, slots=True)
class _Stop:
    """Where the grammar has no way on: at `tokens[place]`, or at the end."""

    tokens: Sequence[Token]
    place: int
    accepted: frozenset[str]

    @property
    def is_end(self) -> bool:
        return self.place == len(self.tokens)

    @property
    def at(self) -> Span:
        """The place in the line; behind the last token at the end."""
        if self.is_end:
            end = self.tokens[-1].end_pos or 0
            return Span(end, end + 1)
        return _span(self.tokens[self.place])

    @property
    def kind(self) -> str:
        return "END" if self.is_end else self.tokens[self.place].type

    @property
    def text(self) -> str:
        return "" if self.is_end else shortened(self.tokens[self.place])

    def kind_at(self, offset: int) -> str:
        """Return the kind of a token before or after it, empty where there is none."""
        place = self.place + offset
        return self.tokens[place].type if 0 <= place < len(self.tokens) else ""


def strange(token: Token) -> Flaw | None:
    """Tell what is wrong with a token that no rule has, wherever it stands."""
    at, text = _span(token), str(token)
    match token.type:
        case "UNCLOSED":
            return Flaw(at, "this text is not closed", f"close it with {text[0]}")
        case "HALF_NAME" if text[0] == "@":
            return Flaw(at, "a list has a name", "write @name")
        case "HALF_NAME":
            marks = "::" if text.startswith("::") else ":"
            name = shortened(text.strip(":")) or "name"
            message = f"an attribute stands between {marks} and {marks}"
            return Flaw(at, message, f"did you mean {marks}{name}{marks}?")
        case "OPERATOR" | "OTHER":
            message = f"{shortened(text)} has no meaning here"
            suggestion = f"did you mean {_MEANT[text]}?" if text in _MEANT else ""
            flaw = look_alike(text) or Flaw(at, message, suggestion)
            return Flaw(at, flaw.message, flaw.suggestion)
        case _:
            return None


def explain(tokens: Sequence[Token], place: int, accepted: frozenset[str]) -> Flaw:
    """Tell what is wrong at a place of a line.

    Parameters
    ----------
    tokens
        Of the line, without a comment and without any that are strange by themselves.
    place
        Of the one that no rule can have there; the number of tokens for the end of the line.
    accepted
        Kinds of tokens that could have been there.
    """
    stop = _Stop(tokens, place, accepted)
    for hint in _HINTS:
        flaw = hint(stop)
        if flaw:
            return flaw
    expected = next((words for kind, words in _EXPECTED.items() if kind in accepted), "the end")
    got = "the end of the line" if stop.is_end else f"`{stop.text}`"
    suggestion = "a rule is one line: write all of it here" if stop.is_end else ""
    return Flaw(stop.at, f"expected {expected}, got {got}", suggestion)


def _action(stop: _Stop) -> Flaw | None:
    if "ACTION" not in stop.accepted:
        return None
    actions = ", ".join(ACTIONS)
    if stop.kind == "WORD":
        meant = nearest(stop.text, ACTIONS)
        suggestion = f"did you mean {meant}?" if meant else f"write one of {actions}"
        return Flaw(stop.at, f"there is no action {stop.text}", suggestion)
    is_begun = stop.kind in {"IF", "SHADOW", "END"}
    suggestion = f"write one of {actions}" if is_begun else _ONE_LINE
    return Flaw(stop.at, "a rule begins with its action", suggestion)


def _if(stop: _Stop) -> Flaw | None:
    if stop.accepted != {"IF"}:
        return None
    if stop.is_end:
        return Flaw(stop.at, "the rule has no condition", _CONDITION)
    action = stop.tokens[stop.place - 1]
    meant = f"{action} if" if stop.kind != "WORD" else "if"
    return Flaw(stop.at, f"`if` is missing behind `{action}`", f"did you mean {meant}?")


def _parenthesis(stop: _Stop) -> Flaw | None:
    opened: list[Token] = []
    for token in stop.tokens[: stop.place]:
        if token.type == _OPENING:
            opened.append(token)
        elif token.type == _CLOSING and opened:
            opened.pop()
    if stop.is_end and opened:
        return Flaw(_span(opened[-1]), "this parenthesis is not closed", "close it with )")
    if stop.kind == _CLOSING and not opened:
        return Flaw(stop.at, "this parenthesis closes none", "leave it out")
    if stop.kind == _CLOSING and stop.kind_at(-1) == _OPENING:
        return Flaw(stop.at, "there is nothing in these parentheses", "")
    return None


def _second_rule(stop: _Stop) -> Flaw | None:
    if stop.kind not in {"ACTION", "IF", "SHADOW"}:
        return None
    return Flaw(stop.at, "a line has one rule", "begin the next one on a line of its own")


def _not_behind(stop: _Stop) -> Flaw | None:
    if stop.kind == "NOT" and stop.accepted & {"COMPARISON", "MISSING"}:
        ends = {"_IN": "in ...", "_LIKE": "like ..."}
        end = "is missing" if "MISSING" in stop.accepted else ends.get(stop.kind_at(1), "= ...")
        return Flaw(stop.at, "`not` stands before the whole condition", f"write not :name: {end}")
    return None


def _chain(stop: _Stop) -> Flaw | None:
    if stop.kind in {"COMPARISON", "_IN", "_LIKE", "_IS"} and "_AND" in stop.accepted:
        suggestion = "join two of them with `and`, such as `:mcc: > 1 and :mcc: < 5`"
        return Flaw(stop.at, "a comparison has two sides", suggestion)
    return None


def _thousands(stop: _Stop) -> Flaw | None:
    if stop.kind != "_COMMA" or {stop.kind_at(-1), stop.kind_at(1)} != {"NUMBER"}:
        return None
    one, _, other = stop.tokens[stop.place - 1 : stop.place + 2]
    meant = f"{shortened(one + other)} or {shortened(f'{one}.{other}')}"
    return Flaw(stop.at, "a number has no commas", f"did you mean {meant}?")


def _list(stop: _Stop) -> Flaw | None:
    if stop.kind == "LIST":
        return Flaw(stop.at, "a named list stands behind `in`", f"write in {stop.text}")
    if "LIST" in stop.accepted and stop.kind in _VALUES:
        return Flaw(stop.at, "behind `in` comes a list", f"write in ({stop.text}) or in @name")
    is_item = "NUMBER" in stop.accepted and "FIELD" not in stop.accepted
    if is_item and stop.kind in {"FIELD", "METADATA"}:
        return Flaw(stop.at, "a list holds no attributes", "compare them with `=`, joined by `or`")
    return None


def _word(stop: _Stop) -> Flaw | None:
    if stop.kind != "WORD":
        return None
    if stop.text.lower() in _WORDS:
        meant = _WORDS[stop.text.lower()]
        return Flaw(stop.at, f"{stop.text} has no meaning here", f"did you mean `{meant}`?")
    keyword = nearest(stop.text, _KEYWORDS)
    if keyword and ("FIELD" not in stop.accepted or keyword in {"not", "true", "false"}):
        return Flaw(stop.at, f"{stop.text} has no meaning here", f"did you mean {keyword}?")
    if stop.accepted & {"FIELD", "STRING"}:
        attribute = f":{stop.text}: for an attribute, " if "FIELD" in stop.accepted else ""
        suggestion = f'write {attribute}"{stop.text}" for a text'
        return Flaw(stop.at, f"{stop.text} has no meaning here", suggestion)
    return None


def _two_values(stop: _Stop) -> Flaw | None:
    if stop.kind in _VALUES and "COMPARISON" in stop.accepted:
        return Flaw(stop.at, "between two values stands an operator", "such as = or <")
    return None


_HINTS: Final[tuple[Callable[[_Stop], Flaw | None], ...]] = (
    _action, _if, _second_rule, _not_behind, _parenthesis, _chain, _thousands, _list, _word,
    _two_values,
)  # fmt: skip
"""In turn; the first that knows what is wrong tells it."""


def _span(token: Token) -> Span:
    return Span(token.start_pos or 0, token.end_pos or 0)
