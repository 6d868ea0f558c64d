"""A set of rules: read from a text as a whole, or refused as a whole."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from agents.rules.attributes import ATTRIBUTES, Attributes
from agents.rules.building import build
from agents.rules.characters import card_number, unprintable
from agents.rules.checking import Check
from agents.rules.compiling import compile_conditions
from agents.rules.grammar import tokens_of
from agents.rules.mistakes import MISTAKES_MAX, Flaw, Mistake, RuleErrors, Span
from agents.rules.nodes import Attribute, Metadata, lists_of
from agents.rules.rule import Rule
from agents.rules.syntax import tree_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from lark import Token
    from numpy.typing import NDArray

    from agents.rules.columns import Columns, MemberList
    from agents.rules.program import Program

RULES_MAX: Final = 500
"""Rules in a set."""

CHARACTERS_MAX: Final = 2_000
"""Characters of a line."""

LINES_MAX: Final = 2_000
"""Lines of a text, with comments and blank ones."""

_NAME: Final = re.compile(r"#\s*([A-Za-z0-9][A-Za-z0-9_-]{0,63}):(?:\s+(.*))?$")
_NO_MEMBERS: Final[Mapping[str, MemberList]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules in the order of their text.

    Attributes
    ----------
    rules
        The rules.
    program
        What tells which charges they match; it follows from them.

    Examples
    --------
    >>> rules = parse('''
    ... # abroad: Large charges from another country than the card's
    ... block if :card_country: <> :ip_country: and :amount_usd: > 200
    ... shadow review if ::basket:: like "%gift%"
    ... ''')
    >>> print(rules)
    # abroad: Large charges from another country than the card's
    block if :card_country: != :ip_country: and :amount_usd: > 200
    shadow review if ::basket:: like "%gift%"
    """

    rules: tuple[Rule, ...]
    program: Program = field(compare=False, repr=False)

    def match(
        self, columns: Columns, lists: Mapping[str, MemberList] = _NO_MEMBERS
    ) -> NDArray[np.bool_]:
        """Return which rules are true of which charges, shape (rules, N).

        Parameters
        ----------
        columns
            Of N charges, asked for what the rules name and nothing else.
        lists
            By their names; one that is not there has no members.
        """
        return self.program.run(columns, lists)

    @property
    def lists(self) -> tuple[str, ...]:
        """The named lists that the rules ask for, in the order of their text."""
        return tuple(
            dict.fromkeys(name for each in self.rules for name in lists_of(each.condition))
        )

    def __str__(self) -> str:
        """Return the text of the rules, in the one way it is written."""
        lines = []
        for rule in self.rules:
            if rule.id:
                lines.append(f"# {rule.id}: {rule.title}".rstrip())
            lines.append(str(rule))
        return "\n".join(lines)


def parse(text: str, attributes: Attributes = ATTRIBUTES) -> RuleSet:
    """Read a text of rules.

    Parameters
    ----------
    text
        One rule a line, blank lines and comments. A comment `# id: text` just above a rule, or
        behind it, names it.
    attributes
        Those that a rule may name.

    Raises
    ------
    RuleErrors
        When anything in it is wrong: with all that is, `MISTAKES_MAX` at the most.

    Examples
    --------
    >>> parse("block when :score: > 0.5")
    Traceback (most recent call last):
    agents.rules.mistakes.RuleErrors: line 1, column 7: `if` is missing behind `block`
        block when :score: > 0.5
              ^^^^
        did you mean if?
    """
    reader = _Reader(attributes)
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    if not reader.is_too_long(lines):
        for number, line in enumerate(lines, 1):
            reader.take(number, line)
            if reader.is_done:
                break
    if reader.mistakes:
        raise RuleErrors(reader.mistakes[:MISTAKES_MAX])
    rules = tuple(reader.rules)
    return RuleSet(rules, compile_conditions([rule.condition for rule in rules], attributes))


@dataclass(frozen=True, slots=True)
class _Name:
    """What a comment calls a rule, and where."""

    id: str
    title: str
    line: int
    source: str
    at: Span


class _Reader:
    """Reads line after line.

    Attributes
    ----------
    rules, mistakes
        Found so far.
    is_done
        Whether no more is to be read.
    """

    def __init__(self, attributes: Attributes) -> None:
        self._attributes = attributes
        self.rules: list[Rule] = []
        self.mistakes: list[Mistake] = []
        self._above: _Name | None = None
        self._ids: dict[str, int] = {}
        self.is_done = False

    def is_too_long(self, lines: Sequence[str]) -> bool:
        """Tell of a text with too many lines or rules, of which nothing is read."""
        rules = [n for n, line in enumerate(lines) if line.strip(" \t") and line.lstrip()[0] != "#"]
        if len(lines) > LINES_MAX:
            self._give_up(LINES_MAX + 1, lines[LINES_MAX], f"expected at most {LINES_MAX:,} lines")
        elif len(rules) > RULES_MAX:
            place = rules[RULES_MAX]
            self._give_up(place + 1, lines[place], f"expected at most {RULES_MAX} rules")
        return bool(self.mistakes)

    def take(self, number: int, line: str) -> None:
        """Read a line, the `number`th from 1."""
        above, self._above = self._above, None
        if not line.strip(" \t"):
            return
        if len(line) > CHARACTERS_MAX:
            message = f"expected at most {CHARACTERS_MAX:,} characters in a line, got {len(line):,}"
            flaw = Flaw(Span(CHARACTERS_MAX, CHARACTERS_MAX + 1), message, "use a list: in @name")
            self._tell(number, line[: CHARACTERS_MAX + 1], [flaw])
            return
        flaws = [*unprintable(line), *card_number(line)]
        if flaws:
            self._tell(number, line, flaws)
            return
        tokens = tokens_of(line)
        comment = tokens.pop() if tokens and tokens[-1].type == "COMMENT" else None
        name = _name(comment, number, line)
        if tokens:
            self._take_rule(number, line, tokens, name or above)
        else:
            self._above = name

    def _take_rule(self, number: int, line: str, tokens: list[Token], name: _Name | None) -> None:
        read = self._read(line, tokens)
        if isinstance(read, list):
            self._tell(number, line, read)
        elif name is None:
            self.rules.append(replace(read, line=number))
        else:
            self.rules.append(replace(read, line=number, id=name.id, title=name.title))
        if name:
            self._check_name(name, number)

    def _read(self, line: str, tokens: list[Token]) -> Rule | list[Flaw]:
        """Return the rule of a line, or all that is wrong with it."""
        tree = tree_of(line, tokens)
        built = tree if isinstance(tree, list) else build(tree)
        check = Check(self._attributes)
        flaws = built if isinstance(built, list) else built.flaws
        if isinstance(built, list) or flaws:
            _check_names(check, tokens)
            return sorted([*flaws, *check.flaws], key=lambda flaw: flaw.at.start)
        condition = check.condition(built.condition)
        return check.flaws or Rule(built.action, condition, built.is_shadow)

    def _check_name(self, name: _Name, number: int) -> None:
        """Tell a name that another rule has."""
        other = self._ids.setdefault(name.id, number)
        if other != number:
            flaw = Flaw(name.at, f"the rule on line {other} is named {name.id}, too", "rename one")
            self._tell(name.line, name.source, [flaw])

    def _give_up(self, number: int, line: str, message: str) -> None:
        """Read no further, as the text is too long from this line on."""
        shown = line[:CHARACTERS_MAX]
        self._tell(number, shown, [Flaw(Span(0, max(len(shown), 1)), message)])
        self.is_done = True

    def _tell(self, number: int, line: str, flaws: Sequence[Flaw]) -> None:
        self.mistakes += [
            Mistake(
                number,
                flaw.at.start + 1,
                flaw.at.stop - flaw.at.start,
                flaw.message,
                flaw.suggestion,
                line,
            )
            for flaw in flaws
        ]
        self.is_done = self.is_done or len(self.mistakes) >= MISTAKES_MAX


def _name(comment: Token | None, number: int, line: str) -> _Name | None:
    """Return what a comment calls its rule, `None` where it is none that names one."""
    found = _NAME.match(str(comment)) if comment else None
    if not found or comment is None:
        return None
    start = (comment.start_pos or 0) + found.start(1)
    at = Span(start, start + len(found[1]))
    return _Name(found[1], (found[2] or "").strip(), number, line, at)


def _check_names(check: Check, tokens: Sequence[Token]) -> None:
    """Check what a line names that is no rule for another reason."""
    for token in tokens:
        at = Span(token.start_pos or 0, token.end_pos or 0)
        match token.type:
            case "FIELD":
                check.known(Attribute(token.strip(":"), at=at))
            case "METADATA":
                check.known(Metadata(token.strip(":"), at=at))
