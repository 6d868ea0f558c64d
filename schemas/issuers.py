"""The issuer ranges of card numbers: how a number begins, and how many digits it then has.

The schemes publish these ranges, and ISO/IEC 7812-1 says what the first digits mean. A range is
wider here than what is in use today where it is given to one scheme as a whole.
"""

from typing import Final

_16: Final = (16,)
_16_TO_19: Final = (16, 17, 18, 19)
_14_TO_19: Final = (14, 15, 16, 17, 18, 19)
_ANY: Final = (13, 14, 15, 16, 17, 18, 19)

# First and last start of a range (of the same length), the number's digits, the scheme.
RANGES: Final[tuple[tuple[int, int, tuple[int, ...], str], ...]] = (
    (1, 1, (15,), "UATP"),
    (1800, 1800, (15,), "JCB"),
    (1946, 1946, (16, 18, 19), "GPN"),
    (2131, 2131, (15,), "JCB"),
    (2200, 2205, _16_TO_19, "Mir"),
    (2221, 2720, _16, "Mastercard"),
    (2799, 2799, _16, "Tarjeta Shopping"),
    (2869, 2869, _16, "Carnet"),
    (300, 305, _14_TO_19, "Diners Club"),
    (3095, 3095, _14_TO_19, "Diners Club"),
    (34, 34, (15,), "American Express"),
    (353, 353, _16, "RuPay"),
    (3528, 3589, _16_TO_19, "JCB"),
    (36, 36, _14_TO_19, "Diners Club"),
    (37, 37, (15,), "American Express"),
    (38, 39, _14_TO_19, "Diners Club"),
    (4, 4, (13, 16, 19), "Visa"),
    (50, 50, _ANY, "Maestro, and in it Dankort, Elo, Meeza, RuPay, Verve"),
    (51, 55, _16, "Mastercard"),
    (56, 58, _ANY, "Maestro, and in it Cabal, Naranja, UzCard"),
    (60, 60, _16_TO_19, "Discover, RuPay, Hipercard, Cabal, Forbrugsforeningen"),
    (62, 62, _16_TO_19, "UnionPay, Discover"),
    (63, 63, _ANY, "Maestro, InstaPayment, InterPayment, Elo, Carnet"),
    (644, 649, _16_TO_19, "Discover"),
    (65, 65, _16_TO_19, "Discover, RuPay, Elo, Troy, Verve"),
    (67, 67, _ANY, "Maestro, Bancontact"),
    (81, 82, _16_TO_19, "UnionPay, RuPay"),
    (8600, 8600, _16, "UzCard"),
    (9051, 9051, _16, "ArCa"),
    (9112, 9112, _16, "Belkart"),
    (94, 94, _16, "Elcart, cards of Korea"),
    (9682, 9682, _16, "mada"),
    (9704, 9704, (16, 19), "Napas"),
    (9792, 9792, _16, "Troy"),
    (9804, 9804, _16, "Prostir"),
    (9860, 9860, _16, "Humo"),
)


def _sizes_by_start() -> dict[str, frozenset[int]]:
    sizes: dict[str, frozenset[int]] = {}
    for first, last, digits, _ in RANGES:
        for start in map(str, range(first, last + 1)):
            sizes[start] = sizes.get(start, frozenset()) | frozenset(digits)
    return sizes


_SIZES: Final = _sizes_by_start()
_STARTS: Final = tuple(sorted({len(start) for start in _SIZES}))


def is_issued(digits: str) -> bool:
    """Whether a number of these digits begins as issued ones of its length do.

    Examples
    --------
    >>> is_issued("4242424242424242"), is_issued("42424242424242"), is_issued("8869509677121526")
    (True, False, False)
    """
    size = len(digits)
    return any(size in _SIZES.get(digits[:start], ()) for start in _STARTS)
