"""Find what looks like a card number in text and in JSON, and mask it.

A card number is 13 to 19 digits that stand alone (no letter or digit at either side), pass the Luhn
check and begin as an issued number of that length does. Single spaces or hyphens may stand between
the digits: anywhere where nothing else is in the row, and within a longer row of digits in one of
the groupings that card numbers are written in. Letters and digits are the ASCII ones. A part of a
UUID is none. In JSON a whole number may be one, too, however it is written.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from hmac import digest
from typing import Final

import orjson

from schemas.issuers import is_issued

DIGITS_MIN, DIGITS_MAX = 13, 19
SIZES: Final = frozenset(
    {
        *((digits,) for digits in range(DIGITS_MIN, DIGITS_MAX + 1)),
        *((4, 4, 4, rest) for rest in (1, 2, 3, 4)),  # by fours, as forms and most cards do
        *((4, 4, 4, 4, rest) for rest in (1, 2, 3)),
        (4, 6, 5),  # American Express
        (4, 6, 4),  # Diners Club
        (4, 4, 5),  # Maestro
        (4, 5, 6),  # UATP
        (6, 13),  # UnionPay
    }
)
"""The digits of a card number's runs, in every way it is written among other digits."""

_RUNS_MAX: Final = max(map(len, SIZES))
_RUN: Final = re.compile("[0-9]+")
# Whole runs with single separators between, of enough digits for a card number. One that begins
# after a letter may hold a card number further on.
_STRETCH: Final = re.compile("[0-9](?:[ -]?[0-9]){12,}+")
_ALPHANUMERIC: Final = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_HEX: Final = "[0-9a-fA-F]"
_UUID: Final = re.compile(
    f"(?<!{_HEX}){_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}(?!{_HEX})"
)
_UUID_CHARACTERS: Final = 36
_DOUBLED: Final = bytes.maketrans(b"0123456789", b"0246813579")  # and its own digits added up

_SHAPE: Final = bytes.maketrans(b"123456789E", b"000000000e")
_SHAPE_OF_SHORTEST: Final = "0" * DIGITS_MIN
_SHAPE_OF_EXPONENT: Final = "0e0"
# An unclosed string reaches to the end, so that one pass over broken JSON stays one pass.
JSON_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_JSON_VALUE: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|-?[0-9][0-9.eE+-]*', re.DOTALL)
_EXPONENT: Final = re.compile(r"(?<![0-9A-Za-z.])[0-9]++(?:\.[0-9]++)?[eE][+-]?[0-9]++(?![A-Za-z])")
_EXPONENT_IN_JSON: Final = re.compile(rb"[eE][+-]?[0-9]+[,}\]\s]")
# Of at most twelve digits before a point or a negative exponent: whatever follows, it is no whole
# number of a card number's size.
_FRACTION: Final = re.compile(
    rb"(?<![0-9])[0-9]{1,12}(?:\.[0-9]++(?:[eE]-[0-9]++)?|[eE]-[0-9]++)(?![0-9.eE+-])"
)
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
    return None if value is None else _masked_bytes(value)


def _masked_bytes(value: bytes) -> bytes:
    text = value.decode("latin-1")
    # Masking the plain digits can cut an escape and so end an escaped run: repeat until neither
    # reading holds a card number. Every round masks at least one digit.
    while (masked := mask(_mask_exponents(_mask_escaped(text)))) != text:
        text = masked
    return text.encode("latin-1")


def mask_json(written: bytes) -> bytes:
    r"""Return valid JSON text with the digits of card numbers masked, valid as well.

    A string without one stays byte for byte as it was written; a number becomes a string. A string
    that is no UTF-8, as a binary format may hold, is masked as any payload is.

    Examples
    --------
    >>> mask_json(b'{"4242-4242-4242-4242": [4242424242424242, "\u0034242424242424242", 1.50]}')
    b'{"****-****-****-****": ["****************", "****************", 1.50]}'
    """
    return _JSON_VALUE.sub(_masked_value, written)


def card_token(text: str, key: bytes) -> str:
    """Return what stands for a text that holds a card number: a keyed hash of its digits.

    It is `hmac_` and the HMAC-SHA256 (RFC 2104) of the digits alone in hexadecimal, so that the
    same card has one token however it is written.

    Examples
    --------
    >>> card_token("4242424242424242", b"k" * 16) == card_token("4242-4242 4242 4242", b"k" * 16)
    True
    """
    start, end = max(_spans(text), key=lambda span: span[1] - span[0])  # not a part of the number
    hashed = digest(key, _digits_of(text[start:end]).encode(), sha256)
    return f"hmac_{hashed.hex()}"


def has_plain_card_number(value: bytes) -> bool:
    """Whether JSON text without escapes has a card number that is written without an exponent."""
    if _SHAPE_OF_SHORTEST not in _shape(value):
        return False
    left = _without_fractions(value)
    return _SHAPE_OF_SHORTEST in _shape(left) and contains_card_number(left.decode("latin-1"))


def may_hold_card_number(value: bytes) -> bool:
    """Whether JSON text might hold a card number: quick, and never wrong when it says no."""
    shape = _shape(value)
    if b"\\" not in value:
        if has_plain_card_number(value):
            return True
        value = _without_fractions(value) if _SHAPE_OF_EXPONENT in shape else b""
    # What an escape stands for may lengthen a run, or end one.
    elif b"\\u003" in value or b"\\u002" in value or _SHAPE_OF_SHORTEST in shape:
        return True
    return _SHAPE_OF_EXPONENT in shape and _EXPONENT_IN_JSON.search(value) is not None


def _without_fractions(value: bytes) -> bytes:
    """Return JSON text without escapes, its numbers before its strings, without the fractions."""
    parts = value.split(b'"')
    numbers = _FRACTION.sub(b"", b'"'.join(parts[::2]))
    return b'"'.join((numbers, *parts[1::2]))


def _shape(value: bytes) -> str:
    """Return text with a 0 for every digit, and without what may stand between digits."""
    return value.translate(_SHAPE, b" -+").decode("latin-1")  # a search in a str costs half


def _masked_value(value: re.Match[bytes]) -> bytes:
    """Return a string or a number of JSON as `mask_json` writes it."""
    written = value[0]
    if not written.startswith(b'"'):
        return _masked_number(written)
    if len(written) < DIGITS_MIN + 2:
        return written
    try:
        content = orjson.loads(written)
    except orjson.JSONDecodeError:
        return _masked_bytes(written)
    masked = mask(content)
    return written if masked == content else orjson.dumps(masked)


def _masked_number(written: bytes) -> bytes:
    text = written.decode()
    digits = _whole_digits(text)
    if digits is None or not _is_card_number(digits):
        return written
    return f'"{_stars(text)}"'.encode()


def _whole_digits(number: str) -> str | None:
    """Return the digits of a number of JSON that is a whole one of a card number's size.

    Examples
    --------
    >>> _whole_digits("-4242424242424242.0"), _whole_digits("4.2e12"), _whole_digits("1.5")
    ('4242424242424242', '4200000000000', None)
    """
    mantissa, _, exponent = number.lower().partition("e")
    if (len(mantissa) < DIGITS_MIN and not exponent) or len(exponent.lstrip("+-0")) > 2:
        return None
    parsed = Decimal(number)
    if not DIGITS_MIN <= parsed.adjusted() + 1 <= DIGITS_MAX or parsed % 1:
        return None
    return str(int(abs(parsed)))


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of every card number in the text."""
    for stretch in _STRETCH.finditer(text):
        for start, end in _candidates(text, *stretch.span()):
            digits = _digits_of(text[start:end])
            if (
                _is_card_number(digits)
                and _stands_alone(text, start, end)
                and not _in_uuid(text, start, end)
            ):
                yield start, end


def _candidates(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield runs of the stretch that have the sizes of a card number, and the whole stretch."""
    runs = [run.span() for run in _RUN.finditer(text, start, end)]
    sizes = tuple(after - before for before, after in runs)
    for first in range(len(runs)):
        for last in range(first, min(first + _RUNS_MAX, len(runs))):
            if sizes[first : last + 1] in SIZES:
                yield runs[first][0], runs[last][1]
    # Of any sizes, but then a UUID's digits do not count with others.
    if sizes not in SIZES and sum(sizes) <= DIGITS_MAX and not _touches_uuid(text, start, end):
        yield start, end


def _digits_of(part: str) -> str:
    return part.replace(" ", "").replace("-", "")


def _is_card_number(digits: str) -> bool:
    return is_issued(digits) and passes_luhn(digits)


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether neither a letter nor a digit is beside text[start:end]."""
    return _ALPHANUMERIC.isdisjoint(text[max(0, start - 1) : start] + text[end : end + 1])


def _stars(part: str) -> str:
    return _RUN.sub(lambda run: "*" * len(run[0]), part)


def _in_uuid(text: str, start: int, end: int) -> bool:
    """Whether text[start:end] lies within a UUID."""
    nearby = max(0, end - _UUID_CHARACTERS), start + _UUID_CHARACTERS + 1
    return any(
        uuid.start() <= start and end <= uuid.end() for uuid in _UUID.finditer(text, *nearby)
    )


def _touches_uuid(text: str, start: int, end: int) -> bool:
    """Whether some of text[start:end] lies within a UUID."""
    nearby = max(0, start - _UUID_CHARACTERS), end + _UUID_CHARACTERS
    return any(uuid.start() < end and start < uuid.end() for uuid in _UUID.finditer(text, *nearby))


def _mask_exponents(text: str) -> str:
    """Mask the whole numbers with an exponent that are card numbers."""

    def masked(number: re.Match[str]) -> str:
        digits = _whole_digits(number[0])
        return _stars(number[0]) if digits and _is_card_number(digits) else number[0]

    return _EXPONENT.sub(masked, text)


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
