"""Mistakes in the text of rules, each with its place and what was probably meant."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING

from schemas.card_numbers import mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MISTAKES_MAX = 50
"""Mistakes that are told of one text; what comes behind them is not looked at."""

_SHOWN = 100
"""Characters of a line that are shown around a mistake."""

_QUOTED = 40
"""Characters of a part of a rule in a message."""

_NAME_CHARACTERS_MAX = 64
"""Longer names are like no other."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a line, in characters counted from 0: from `start` up to `stop`."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong at a place of a line, and what to write in its place, empty if unknown."""

    at: Span
    message: str
    suggestion: str = ""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a text of rules.

    Attributes
    ----------
    line, column
        Where it is, both counted from 1.
    length
        Of the part that is marked, in characters.
    message, suggestion
        What is wrong, and what was probably meant; the latter may be empty.
    source
        The line.

    Examples
    --------
    >>> print(Mistake(2, 10, 7, "there is no attribute :amout:", "did you mean :amount:?",
    ...               "block if :amout: > 5"))
    line 2, column 10: there is no attribute :amout:
        block if :amout: > 5
                 ^^^^^^^
        did you mean :amount:?
    """

    line: int
    column: int
    length: int
    message: str
    suggestion: str
    source: str

    def __str__(self) -> str:
        shown, marks = _marked(self.source, self.column - 1, self.length)
        lines = [f"line {self.line}, column {self.column}: {mask(self.message)}", shown, marks]
        if self.suggestion:
            lines.append(mask(self.suggestion))
        return "\n    ".join(lines)


class RuleErrors(ValueError):  # noqa: N818 - it is all of them
    """A text of rules is refused as a whole.

    Attributes
    ----------
    mistakes
        All that were found, in the order of the text; `MISTAKES_MAX` at the most.
    """

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes, key=lambda each: (each.line, each.column)))
        told = list(map(str, self.mistakes))
        if len(told) == MISTAKES_MAX:
            told.append(f"after {MISTAKES_MAX} mistakes the rest of the text was not looked at")
        super().__init__("\n".join(told))


def shortened(text: str) -> str:
    """Return a part of a rule as a message shows it.

    >>> shortened("a" * 50)
    'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'
    """
    return text if len(text) <= _QUOTED else f"{text[: _QUOTED - 3]}..."


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like a given one, `None` where none is.

    Examples
    --------
    >>> nearest("amout", ["amount", "mcc"]), nearest("zzz", ["amount", "mcc"])
    ('amount', None)
    """
    return None if len(name) > _NAME_CHARACTERS_MAX else _nearest(name.lower(), tuple(known))


@lru_cache(1000)  # of a text, whose rules repeat their mistakes
def _nearest(name: str, known: tuple[str, ...]) -> str | None:
    found = get_close_matches(name, known, n=1)
    return found[0] if found else None


def _marked(source: str, start: int, length: int) -> tuple[str, str]:
    """Return the part of a line around a mistake, and the marks below it."""
    line = mask("".join(c if c.isprintable() else _in_place_of(c) for c in source))
    left = max(0, start - _SHOWN // 2) if len(line) > _SHOWN else 0
    shown = line[left : left + _SHOWN]
    before, after = "..." if left else "", "..." if left + _SHOWN < len(line) else ""
    indent = len(before) + start - left
    marks = max(1, min(length, len(shown) - (start - left)))
    return f"{before}{shown}{after}".rstrip(), " " * indent + "^" * marks


def _in_place_of(character: str) -> str:
    return " " if character.isspace() else "\N{REPLACEMENT CHARACTER}"
