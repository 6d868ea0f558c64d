"""The card-number rule once more, slow and obvious: what the tests compare the fast one with."""

import json
import re
from typing import Any

# How card numbers of 13 to 19 digits are written: the sizes of their groups.
LAYOUTS = [
    *([n] for n in (13, 14, 15, 16, 17, 18, 19)),
    [4, 4, 4, 1], [4, 4, 4, 2], [4, 4, 4, 3], [4, 4, 4, 4],
    [4, 4, 4, 4, 1], [4, 4, 4, 4, 2], [4, 4, 4, 4, 3],
    [4, 6, 5], [4, 6, 4], [4, 4, 5], [4, 5, 6], [6, 13],
]  # fmt: skip
DIGITS = frozenset("0123456789")


def luhn(digits: str) -> bool:
    """From the right, every second digit is doubled, and the digits of all results add up."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        product = int(digit) * (1 + position % 2)
        total += product // 10 + product % 10
    return total % 10 == 0


def with_check_digit(digits: str) -> str:
    return next(digits + check for check in "0123456789" if luhn(digits + check))


def grouped(digits: str, layout: list[int], separator: str) -> str:
    assert len(digits) == sum(layout)
    rest = iter(digits)
    return separator.join("".join(next(rest) for _ in range(size)) for size in layout)


def card_numbers(text: str) -> list[tuple[int, int]]:
    """Return start and end of every card number: all substrings of whole runs are tried."""
    runs = [run.span() for run in re.finditer("[0-9]+", text)]
    return [
        (start, end)
        for index, (start, _) in enumerate(runs)
        for _, end in runs[index : index + 5]
        if 13 <= end - start <= 19 + 4
        and _is_written_like_one(text[start:end])
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


def strings_in(text: str) -> list[str]:
    """Return every string in a JSON text, field names and repeated fields included."""
    found: list[str] = []

    def collect(value: Any) -> None:
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, list):
            for item in value:
                collect(item)

    def pairs(fields: list[tuple[str, Any]]) -> None:
        for field in fields:
            collect(list(field))

    collect(json.loads(text, object_pairs_hook=pairs))
    return found


def _is_written_like_one(part: str) -> bool:
    groups = part.replace(" ", "-").split("-")
    return (
        [len(group) for group in groups] in LAYOUTS
        and DIGITS.issuperset("".join(groups))
        and luhn("".join(groups))
    )


def _is_in_a_uuid(text: str, start: int, end: int) -> bool:
    return any(
        _is_uuid(text[first : first + 36])
        and not _is_hexadecimal(text[max(0, first - 1) : first])
        and not _is_hexadecimal(text[first + 36 : first + 37])
        for first in range(max(0, end - 36), start + 1)
    )


def _is_uuid(part: str) -> bool:
    return [len(group) for group in part.split("-")] == [8, 4, 4, 4, 12] and _is_hexadecimal(
        part.replace("-", "")
    )


def _is_hexadecimal(part: str) -> bool:
    return bool(part) and set(part) <= set("0123456789abcdefABCDEF")
