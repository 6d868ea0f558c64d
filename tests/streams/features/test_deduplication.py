"""Duplicates are told from new charges, however far back in a busy card's past."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from schemas.charge import Charge
from tests.streams.features.kernels import Kernels

if TYPE_CHECKING:
    from collections.abc import Sequence

START, HOUR, DAY = 1_700_000_000.0, 3600.0, 86400.0


def charge(number: int, created: float, card: str = "card_1") -> Charge:
    return Charge(f"charge_{number}", created, 500, "usd", card, "merchant_1")


def duplicates(batches: Sequence[Sequence[Charge]]) -> list[bool]:
    kernels = Kernels(dedup_window_s=DAY)
    return [
        bool(duplicate)
        for batch in batches
        for duplicate in kernels.count(batch, [None] * len(batch)).duplicates
    ]


@pytest.mark.parametrize("cuts", [[], [100], [3, 60, 100, 101], range(1, 200)])
def test_duplicate_of_a_busy_card_is_known(cuts: Sequence[int]) -> None:
    """A hundred charges in an hour, then all of them again; and once more a day later."""
    charges = [charge(number, START + 36.0 * number) for number in range(100)]
    edges = [0, *cuts, 200]
    events = charges + charges
    batches = [events[a:b] for a, b in pairwise(edges)]
    later = charge(100, START + DAY)
    assert (
        duplicates([*batches, [later, *charges]])
        == [False] * 100 + [True] * 100 + [False] + [True] * 100
    )


def test_duplicate_of_a_late_charge_is_known() -> None:
    """Two days late when it came, and sent again after many others, a minute later."""
    now = [charge(number, START + number) for number in range(20)]
    late = charge(50, START - 2 * DAY)
    assert duplicates([now[:5], [late], now[5:], [late]]) == [False] * 21 + [True]


def test_id_used_again_after_the_window_is_a_charge_of_its_own() -> None:
    """And its duplicate is one, although the record holds the older charge of that id as well."""
    first, again = charge(1, START), charge(1, START + DAY + 1)
    assert duplicates([[first, again, again], [again]]) == [False, False, True, True]
    near = charge(1, START + DAY)
    assert duplicates([[first, near]]) == [False, True]


def test_id_is_that_of_its_card_alone() -> None:
    first, other = charge(1, START), charge(1, START, card="card_2")
    assert duplicates([[first, other], [first, other]]) == [False, False, True, True]


def test_forgotten_when_time_has_moved_on() -> None:
    """After the window and eight more charges the id is free; no memory is kept for it."""
    old = charge(1, START)
    others = [charge(number, START + DAY + HOUR + number) for number in range(2, 10)]
    assert duplicates([[old, *others], [old]]) == [False] * 10
