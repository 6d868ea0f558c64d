"""The card-number rule once more, slow and obvious: what the tests compare the fast one with."""

import json
import re
from decimal import Decimal
from typing import Any

# How card numbers of 13 to 19 digits are written among other digits: the sizes of their groups.
LAYOUTS = [
    *([n] for n in (13, 14, 15, 16, 17, 18, 19)),
    [4, 4, 4, 1], [4, 4, 4, 2], [4, 4, 4, 3], [4, 4, 4, 4],
    [4, 4, 4, 4, 1], [4, 4, 4, 4, 2], [4, 4, 4, 4, 3],
    [4, 6, 5], [4, 6, 4], [4, 4, 5], [4, 5, 6], [6, 13],
]  # fmt: skip
DIGITS = frozenset("0123456789")

# How the numbers of each scheme begin, and their digits.
ISSUERS = {
    "American Express": (r"3[47]", {15}),
    "ArCa": (r"9051", {16}),
    "Belkart": (r"9112", {16}),
    "Carnet": (r"2869", {16}),
    "Diners Club": (r"30[0-5]|3095|36|38|39", {14, 15, 16, 17, 18, 19}),
    "Discover": (r"60|64[4-9]|65", {16, 17, 18, 19}),
    "Elcart and Korea": (r"94", {16}),
    "GPN": (r"1946", {16, 18, 19}),
    "Humo": (r"9860", {16}),
    "JCB": (r"352[89]|35[3-8]", {16, 17, 18, 19}),
    "JCB, of 15 digits": (r"2131|1800", {15}),
    "Maestro": (r"50|5[678]|63|67", {13, 14, 15, 16, 17, 18, 19}),
    "Mastercard": (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", {16}),
    "Mir": (r"220[0-5]", {16, 17, 18, 19}),
    "Napas": (r"9704", {16, 19}),
    "Prostir": (r"9804", {16}),
    "RuPay": (r"353|60|65|81|82|508", {16}),
    "Tarjeta Shopping": (r"2799", {16}),
    "Troy": (r"9792|65", {16}),
    "UATP": (r"1", {15}),
    "UnionPay": (r"62|81|82", {16, 17, 18, 19}),
    "UzCard": (r"8600", {16}),
    "Visa": (r"4", {13, 16, 19}),
    "mada": (r"9682", {16}),
}


def luhn(digits: str) -> bool:
    """From the right, every second digit is doubled, and the digits of all results add up."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        product = int(digit) * (1 + position % 2)
        total += product // 10 + product % 10
    return total % 10 == 0


def with_check_digit(digits: str) -> str:
    return next(digits + check for check in "0123456789" if luhn(digits + check))


def is_card_number(digits: str) -> bool:
    """Whether a text is the digits of a card number and nothing else."""
    return (
        DIGITS.issuperset(digits)
        and luhn(digits)
        and any(
            len(digits) in sizes and re.match(start, digits) for start, sizes in ISSUERS.values()
        )
    )


def grouped(digits: str, layout: list[int], separator: str) -> str:
    assert len(digits) == sum(layout)
    rest = iter(digits)
    return separator.join("".join(next(rest) for _ in range(size)) for size in layout)


def card_numbers(text: str) -> list[tuple[int, int]]:
    """Return start and end of every card number: all substrings of whole runs are tried."""
    runs = [run.span() for run in re.finditer("[0-9]+", text)]
    rows = {
        row.span()
        for row in re.finditer("[0-9](?:[ -]?[0-9])*", text)
        if 13 <= len(row[0]) <= 37 and not _touches_a_uuid(text, *row.span())
    }
    return [
        (start, end)
        for index, (start, _) in enumerate(runs)
        for _, end in runs[index : index + 19]
        if 13 <= end - start <= 19 + 18
        and _is_written_like_one(text[start:end], is_all=(start, end) in rows)
        and _stands_alone(text, start, end)
        and not _is_in_a_uuid(text, start, end)
    ]


def masked(text: str) -> str:
    """Mask the digits of card numbers until there are none."""
    while spans := card_numbers(text):
        inside = {index for span in spans for index in range(*span)}
        text = "".join(
            "*" if index in inside and character in DIGITS else character
            for index, character in enumerate(text)
        )
    return text


def holds_card_number(text: str) -> bool:
    """Whether any string or number of a JSON text is or holds a card number."""
    strings, numbers = strings_and_numbers_in(text)
    return any(map(card_numbers, strings)) or any(map(_is_whole_card_number, numbers))


def strings_in(text: str) -> list[str]:
    """Return every string in a JSON text, field names and repeated fields included."""
    return strings_and_numbers_in(text)[0]


def strings_and_numbers_in(text: str) -> tuple[list[str], list[Decimal]]:
    """Return every string and every number in a JSON text."""
    found: list[str] = []
    numbers: list[Decimal] = []

    def collect(value: Any) -> None:
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, Decimal):
            numbers.append(value)
        elif isinstance(value, list):
            for item in value:
                collect(item)

    def pairs(fields: list[tuple[str, Any]]) -> None:
        for field in fields:
            collect(list(field))

    collect(json.loads(text, object_pairs_hook=pairs, parse_int=Decimal, parse_float=_decimal))
    return found, numbers


def _decimal(number: str) -> Decimal:
    """Return a number, 0 for one that is far too small or large for a card number."""
    exponent = re.fullmatch(r".*[eE][+-]?0*([0-9]*)", number)
    return Decimal(0) if exponent and len(exponent[1]) > 3 else Decimal(number)


def _is_whole_card_number(number: Decimal) -> bool:
    if not -(10**19) < number < 10**19 or number != int(number):
        return False
    return is_card_number(str(abs(int(number))))


def _is_written_like_one(part: str, *, is_all: bool) -> bool:
    groups = part.replace(" ", "-").split("-")
    digits = "".join(groups)
    is_layout = [len(group) for group in groups] in LAYOUTS
    return (
        all(groups)
        and DIGITS.issuperset(digits)
        and (is_layout or (is_all and 13 <= len(digits) <= 19))
        and is_card_number(digits)
    )


def _stands_alone(text: str, start: int, end: int) -> bool:
    beside = text[max(0, start - 1) : start] + text[end : end + 1]
    return not re.search("[0-9A-Za-z]", beside)


def _is_in_a_uuid(text: str, start: int, end: int) -> bool:
    return any(
        _is_uuid(text[first : first + 36])
        and not _is_hexadecimal(text[max(0, first - 1) : first])
        and not _is_hexadecimal(text[first + 36 : first + 37])
        for first in range(max(0, end - 36), start + 1)
    )


def _touches_a_uuid(text: str, start: int, end: int) -> bool:
    return any(_is_in_a_uuid(text, index, index + 1) for index in range(start, end))


def _is_uuid(part: str) -> bool:
    return [len(group) for group in part.split("-")] == [8, 4, 4, 4, 12] and _is_hexadecimal(
        part.replace("-", "")
    )


def _is_hexadecimal(part: str) -> bool:
    return bool(part) and set(part) <= set("0123456789abcdefABCDEF")
