"""The one way in which numbers and texts are written: what is read from it is the same again."""

from __future__ import annotations

import re
from math import isfinite
from typing import Final

NUMBER: Final = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?"
"""What is read as a number, in upper or lower case."""

_NUMBER: Final = re.compile(f"-?{NUMBER}", re.IGNORECASE)
_IS_ZERO: Final = re.compile("[-0.]+(?:[eE].*)?")

_ESCAPED: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
_LARGEST_WHOLE: Final = 1e15
"""Whole numbers from here on are written with an exponent."""

_PATTERN_ITEM: Final = re.compile(r"\\.|.", re.DOTALL)


def number_text(value: float) -> str:
    """Return the shortest number that is read as the same.

    >>> number_text(200.0), number_text(-0.1), number_text(1e300)
    ('200', '-0.1', '1e+300')
    """
    is_whole = value.is_integer() and abs(value) < _LARGEST_WHOLE
    return str(int(value)) if is_whole else repr(value)


def number_in(text: str) -> float | None:
    """Return the number that a text is as the language reads it, `None` where it is none.

    >>> number_in("5732"), number_in("-.5"), number_in("1e999"), number_in("0x10"), number_in(" 1")
    (5732.0, -0.5, None, None, None)
    """
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    is_one = isfinite(value) and (value != 0.0 or _IS_ZERO.fullmatch(text))
    return value if is_one else None


def quoted(text: str) -> str:
    r"""Return a text in quotes.

    >>> print(quoted('say "a\\b"'), quoted("\u202e"))
    "say \"a\\b\"" "\u{202e}"
    """
    return f'"{"".join(map(_character, text))}"'


def quoted_pattern(pattern: str) -> str:
    r"""Return a pattern in quotes; its backslashes are escapes.

    >>> print(quoted_pattern(r'50\% "off"%'))
    "50\% \"off\"%"
    """
    items = _PATTERN_ITEM.findall(pattern)
    return f'"{"".join(item if len(item) == 2 else _character(item) for item in items)}"'


def _character(character: str) -> str:
    if character in _ESCAPED:
        return _ESCAPED[character]
    return character if character.isprintable() else f"\\u{{{ord(character):x}}}"
