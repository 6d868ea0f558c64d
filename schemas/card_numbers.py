"""Find what looks like a card number in text, and mask it.

A card number is 13 to 19 digits that pass the Luhn check: a maximal run of digits (a longer run is
no card number), or digits printed in the groups that cards carry, with single spaces or hyphens
between. Digits are the ASCII ones. A UUID is never taken for a number printed in groups.

One in ten random runs of such a length passes the check. A hash in hexadecimal has such a run now
and then and is then taken for a card number; a token in Base64 practically never is.
"""

import re
from collections.abc import Iterator
from typing import Final

import orjson

_RUN: Final = re.compile(r"(?<![0-9])[0-9]{13,19}(?![0-9])")
# Groups as printed: most schemes, 19 digits, American Express, Diners Club.
_GROUPINGS: Final = ((4, 4, 4, 4), (4, 4, 4, 4, 3), (4, 6, 5), (4, 6, 4))
# Within a lookahead, so that a number that starts inside a failed candidate is found as well.
_GROUPED: Final = tuple(
    re.compile(f"(?<![0-9])(?=({'[ -]'.join(f'[0-9]{{{size}}}' for size in sizes)})(?![0-9]))")
    for sizes in _GROUPINGS
)
_HEX: Final = "[0-9a-fA-F]"
_UUID: Final = re.compile(
    f"(?<!{_HEX}){_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}(?!{_HEX})"
)
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)  # twice a digit, its own digits added up

_SHAPE: Final = bytes.maketrans(b"123456789 ", b"000000000-")
# One of them is in the shape of every card number: a whole run, or the start of every grouping.
_SHAPES: Final = ("0000000000000", "0000-0000")
_STRETCH: Final = re.compile("[0-]*")
# An unclosed string reaches to the end, so that one pass over broken JSON stays one pass.
JSON_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
# A character of JSON text: an escaped backslash, an escape that hides a digit, space or hyphen, or
# any single character.
_CHARACTER: Final = re.compile(r"\\\\|\\u00(?:3[0-9]|20|2[dD])|.", re.DOTALL)
_MASKED_ESCAPE: Final = r"\u002a"


def passes_luhn(digits: str) -> bool:
    """Whether a string of ASCII digits passes the Luhn check (ISO/IEC 7812-1, annex B).

    Examples
    --------
    >>> passes_luhn("4242424242424242"), passes_luhn("4242424242424243")
    (True, False)
    """
    total = sum(map(int, digits[-1::-2])) + sum(_DOUBLED[int(digit)] for digit in digits[-2::-2])
    return total % 10 == 0


def contains_card_number(text: str) -> bool:
    """Whether any part of the text looks like a card number.

    Examples
    --------
    >>> contains_card_number("paid with 4242-4242 4242 4242.")
    True
    >>> contains_card_number("24242424-4242-4242-4242-424242424242")
    False
    """
    return any(True for _ in _spans(text))


def mask(text: str) -> str:
    """Return the text with every digit of a card number replaced by an asterisk.

    Examples
    --------
    >>> mask("paid with 4242 4242 4242 4242.")
    'paid with **** **** **** ****.'
    """
    spans = list(_spans(text))
    if not spans:
        return text
    characters = list(text)
    for start, end in spans:
        for index in range(start, end):
            if characters[index] not in " -":
                characters[index] = "*"
    return "".join(characters)


def mask_key(key: bytes | None) -> bytes | None:
    """Return a message key, byte for byte save the digits of card numbers."""
    return None if key is None else mask(key.decode("latin-1")).encode("latin-1")


def mask_payload(value: bytes | None) -> bytes | None:
    r"""Return a payload of any kind, byte for byte save the digits of card numbers.

    Digits are masked wherever they stand, in numbers too (the copy may so be no JSON any more), and
    also where JSON escapes hide them; an escaped digit becomes an escaped asterisk.

    Examples
    --------
    >>> mask_payload(rb'{"card":"\u0034242424242424242"}')
    b'{"card":"\\u002a***************"}'
    """
    if value is None:
        return None
    text = value.decode("latin-1")
    # Masking the plain digits can cut an escape and so end an escaped run: repeat until neither
    # reading holds a card number. Every round masks at least one digit.
    while (masked := mask(_mask_escaped(text))) != text:
        text = masked
    return text.encode("latin-1")


def may_hold_card_number(value: bytes) -> bool:
    """Whether JSON text might hold a card number: quick, and never wrong when it says no."""
    shape = value.translate(_SHAPE).decode("latin-1")  # a search in a str costs half
    if _SHAPES[0] in shape or _SHAPES[1] in shape:
        # The digits of an escape may lengthen a run of plain ones.
        return b"\\u" in value or _stretch_holds_card_number(value, shape)
    return "\\" in shape and (b"\\u003" in value or b"\\u002" in value)


def json_holds_card_number(value: bytes) -> bool:
    """Whether any string of a valid JSON text (field names included) holds a card number.

    Reads the text itself and not what it was parsed to: repeated fields count, and no depth of
    nesting matters.
    """
    return any(
        contains_card_number(orjson.loads(string))
        for string in JSON_STRING.findall(value)
        if may_hold_card_number(string)
    )


def _stretch_holds_card_number(value: bytes, shape: str) -> bool:
    """Whether a stretch of digits, spaces and hyphens holds a card number, were it not a UUID."""
    for needle in _SHAPES:
        start = shape.find(needle)
        while start >= 0:
            stretch = _STRETCH.match(shape, start)
            assert stretch is not None
            if contains_card_number(value[start : stretch.end()].decode("ascii")):
                return True
            start = shape.find(needle, stretch.end())
    return False


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of every card number in the text."""
    for match in _RUN.finditer(text):
        if passes_luhn(match[0]):
            yield match.span()
    for pattern in _GROUPED:
        for match in pattern.finditer(text):
            start, end = match.span(1)
            digits = match[1].replace(" ", "").replace("-", "")
            if passes_luhn(digits) and not _in_uuid(text, start, end):
                yield start, end


def _in_uuid(text: str, start: int, end: int) -> bool:
    """Whether text[start:end] lies within a UUID."""
    return any(uuid.start() <= start and end <= uuid.end() for uuid in _UUID.finditer(text))


def _mask_escaped(text: str) -> str:
    """Mask the card numbers that show when the JSON escapes of a text are resolved."""
    if r"\u00" not in text:
        return text
    written = _CHARACTER.findall(text)
    # An escaped backslash reads as one character, like everything else here.
    read = "".join(chr(int(part[4:], 16)) if len(part) == 6 else part[0] for part in written)
    for start, end in _spans(read):
        for index in range(start, end):
            if read[index] not in " -":
                written[index] = "*" if len(written[index]) == 1 else _MASKED_ESCAPE
    return "".join(written)
