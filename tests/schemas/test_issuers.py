"""The table of issuer ranges, against one written down apart from it, by scheme."""

from random import Random

import pytest

from schemas.issuers import is_issued
from tests.schemas import reference


@pytest.mark.parametrize("size", range(13, 20))
@pytest.mark.parametrize("start", range(0, 10_000, 500))
def test_every_start_of_four_digits(start: int, size: int) -> None:
    rng = Random(start + size)
    for first in range(start, start + 500):
        digits = reference.with_check_digit(
            f"{first:04}" + "".join(rng.choices("0123456789", k=size - 5))
        )
        assert is_issued(digits) == reference.is_card_number(digits), digits


@pytest.mark.parametrize("size", [1, 12, 20])
def test_other_sizes_are_not_issued(size: int) -> None:
    assert not is_issued("4" * size)
