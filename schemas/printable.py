"""Text of events as a terminal may have it: what a terminal would act upon is shown instead.

An escape sequence moves the cursor, sets the title or clears the screen; what changes the direction
of writing makes another text of the one that is there.
"""

import re
from typing import Final

# Controls (C0, DEL, C1), marks and overrides of direction, separators of lines, invisible
# characters that join nothing, tags, and halves of surrogate pairs, which cannot be encoded.
_ACTED_UPON: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_JSON_SPACE: Final = str.maketrans("\t\r\n", "   ")


def printable(text: str) -> str:
    r"""Return text in one line, without anything that a terminal acts upon.

    Examples
    --------
    >>> print(printable("Shop\x1b[2J\x9b1m \u202egnp.exe\n"))
    Shop\x1b[2J\x9b1m \u202egnp.exe\x0a
    """
    return _ACTED_UPON.sub(_escape, text)


def printable_lines(text: str) -> str:
    r"""Return text of several lines of our own, each as `printable` gives it.

    >>> print(printable_lines("one\x07\ntwo"))
    one\x07
    two
    """
    return "\n".join(map(printable, text.split("\n")))


def printable_json(value: bytes) -> str:
    r"""Return JSON that says the same in one line, without anything that a terminal acts upon.

    >>> print(printable_json('{"merchant":"Shop\x9b2J",\n"order":"\\u001b"}'.encode()))
    {"merchant":"Shop\u009b2J", "order":"\u001b"}
    """
    # Within a string JSON has these escaped, so they are space between its parts.
    text = value.decode(errors="backslashreplace").translate(_JSON_SPACE)
    return _ACTED_UPON.sub(_escape_in_json, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escape_in_json(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
