"""Find what looks like a card number in text, and mask it.

A card number is 13 to 19 digits that pass the Luhn check: a maximal run of digits (a longer run is
no card number), or consecutive runs in one of the groupings that card numbers are written in, with
single spaces or hyphens between. Digits are the ASCII ones. A UUID is never taken for groups.

One in ten random runs of such a length passes the check. So one random hash in hexadecimal out of
550 (128 bits) or 220 (256 bits) is taken for a card number; a token in Base64 practically never is.
"""

import re
from collections.abc import Iterator
from typing import Final

import orjson

SIZES: Final = frozenset(
    {
        *((digits,) for digits in range(13, 20)),
        *((4, 4, 4, rest) for rest in (1, 2, 3, 4)),  # by fours, as forms and most cards do
        *((4, 4, 4, 4, rest) for rest in (1, 2, 3)),
        (4, 6, 5),  # American Express
        (4, 6, 4),  # Diners Club
        (4, 4, 5),  # Maestro
        (4, 5, 6),  # UATP
        (6, 13),  # UnionPay
    }
)
"""The digits of a card number's runs, in every way it is written."""

_RUNS_MAX: Final = max(map(len, SIZES))
_RUN: Final = re.compile("[0-9]+")
# Whole runs with single separators between, of enough digits for a card number.
_STRETCH: Final = re.compile("[0-9](?:[ -]?[0-9]){12,}+")
_HEX: Final = "[0-9a-fA-F]"
_UUID: Final = re.compile(
    f"(?<!{_HEX}){_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}(?!{_HEX})"
)
_UUID_CHARACTERS: Final = 36
_DOUBLED: Final = bytes.maketrans(b"0123456789", b"0246813579")  # and its own digits added up

_SHAPE: Final = bytes.maketrans(b"123456789 ", b"000000000-")
# One of them is in the shape of every card number: a whole run, or the start of every grouping.
_SHAPES: Final = ("0000000000000", "0000-0000")
# An unclosed string reaches to the end, so that one pass over broken JSON stays one pass.
JSON_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_CHARACTER: Final = re.compile(r"\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL)  # of a JSON string
_MASKED_ESCAPE: Final = r"\u002a"


def passes_luhn(digits: str) -> bool:
    """Whether a string of ASCII digits passes the Luhn check (ISO/IEC 7812-1, annex B).

    Examples
    --------
    >>> passes_luhn("4242424242424242"), passes_luhn("4242424242424243")
    (True, False)
    """
    codes = digits.encode()
    total = sum(codes[-1::-2]) + sum(codes[-2::-2].translate(_DOUBLED))
    return (total - len(codes) * ord("0")) % 10 == 0


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
    # Again, because masking a part of a UUID turns the rest of it into mere groups.
    while spans := list(_spans(text)):
        characters = list(text)
        for start, end in spans:
            for index in range(start, end):
                if characters[index] not in " -":
                    characters[index] = "*"
        text = "".join(characters)
    return text


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


def has_long_digits(value: bytes) -> bool:
    """Whether text without escapes has a run or groups of digits as long as a card number's."""
    shape = value.translate(_SHAPE).decode("latin-1")  # a search in a str costs half
    return _SHAPES[0] in shape or _SHAPES[1] in shape


def may_hold_card_number(value: bytes) -> bool:
    """Whether JSON text might hold a card number: quick, and never wrong when it says no."""
    if has_long_digits(value):
        # What an escape stands for may lengthen a run, and is no part of a UUID.
        return b"\\" in value or contains_card_number(value.decode("latin-1"))
    return b"\\u003" in value or b"\\u002" in value


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


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of every card number in the text."""
    for stretch in _STRETCH.finditer(text):
        runs = [run.span() for run in _RUN.finditer(text, *stretch.span())]
        for start, end in _candidates(runs):
            digits = text[start:end].replace(" ", "").replace("-", "")
            if passes_luhn(digits) and not _in_uuid(text, start, end):
                yield start, end


def _candidates(runs: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield start and end of consecutive runs that have the sizes of a card number."""
    sizes = tuple(end - start for start, end in runs)
    for first in range(len(runs)):
        for last in range(first, min(first + _RUNS_MAX, len(runs))):
            if sizes[first : last + 1] in SIZES:
                yield runs[first][0], runs[last][1]


def _in_uuid(text: str, start: int, end: int) -> bool:
    """Whether text[start:end] lies within a UUID."""
    nearby = max(0, end - _UUID_CHARACTERS), start + _UUID_CHARACTERS + 1
    return any(
        uuid.start() <= start and end <= uuid.end() for uuid in _UUID.finditer(text, *nearby)
    )


def _mask_escaped(text: str) -> str:
    """Mask the card numbers that show when the JSON escapes of a text are resolved."""
    if "\\" not in text:
        return text
    written = _CHARACTER.findall(text)
    # A short escape stands for nothing that matters here: any single character does for it.
    read = "".join(chr(int(part[-4:], 16)) if len(part) == 6 else part[0] for part in written)
    for start, end in _spans(read):
        for index in range(start, end):
            if read[index] not in " -":
                written[index] = "*" if len(written[index]) == 1 else _MASKED_ESCAPE
    return "".join(written)
