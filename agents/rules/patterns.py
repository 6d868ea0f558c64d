r"""Patterns of `like`: `%` is any text, also none, and `_` any one character.

A backslash takes the meaning from what follows. Matching takes time in proportion to the text,
whatever the pattern: what stands between two `%` is found at its first place, and never looked for
again. With a `_` in it, it is found by Shift-And (Baeza-Yates and Gonnet 1992, "A new approach to
text searching"): bit n of a number tells whether the first n + 1 characters match up to here.
"""

from __future__ import annotations

import re
from typing import Final

_ITEM: Final = re.compile(r"\\.|.", re.DOTALL)

_Part = tuple[str | None, ...]
"""Characters between two `%`; `None` for any one."""


class Pattern:
    r"""A pattern that texts are compared with.

    Parameters
    ----------
    pattern
        As `agents.rules.nodes.Like` has it.

    Examples
    --------
    >>> pattern = Pattern(r"gift_%\%")
    >>> [pattern.matches(text) for text in ("gift 50%", "gift50%", "gift", "a gift 50%")]
    [True, True, False, False]
    """

    def __init__(self, pattern: str) -> None:
        parts: list[list[str | None]] = [[]]
        for item in _ITEM.findall(pattern):
            if item == "%":
                parts.append([])
            else:
                parts[-1].append(None if item == "_" else item[-1])
        first, *rest = map(tuple, parts)
        self._first: _Part = first
        self._last: _Part | None = rest.pop() if rest else None
        self._between = [_Search(part) for part in rest if part]

    def matches(self, text: str) -> bool:
        """Whether all of the text has the pattern."""
        if self._last is None:
            return len(text) == len(self._first) and _is_at(self._first, text, 0)
        end = len(text) - len(self._last)
        place = len(self._first)
        if place > end or not _is_at(self._first, text, 0) or not _is_at(self._last, text, end):
            return False
        for search in self._between:
            place = search.end_in(text, place, end)
            if place < 0:
                return False
        return True


class _Search:
    """Looks for a part in texts."""

    def __init__(self, part: _Part) -> None:
        known = [character for character in part if character is not None]
        self._plain = "".join(known) if len(known) == len(part) else None
        self._any = sum(1 << n for n, character in enumerate(part) if character is None)
        self._bits = dict.fromkeys(known, self._any)
        for n, character in enumerate(part):
            if character is not None:
                self._bits[character] |= 1 << n
        self._found = 1 << (len(part) - 1)

    def end_in(self, text: str, start: int, stop: int) -> int:
        """Return where the part first ends in a text from `start` up to `stop`, -1 if nowhere."""
        if self._plain is not None:
            place = text.find(self._plain, start, stop)
            return place + len(self._plain) if place >= 0 else -1
        state, bits, others = 0, self._bits, self._any
        for place in range(start, stop):
            state = (state << 1 | 1) & bits.get(text[place], others)
            if state & self._found:
                return place + 1
        return -1


def _is_at(part: _Part, text: str, place: int) -> bool:
    return all(
        character is None or character == text[place + n] for n, character in enumerate(part)
    )
