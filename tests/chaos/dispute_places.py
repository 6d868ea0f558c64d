"""Where disputes and outcomes of a partition count, and which wait in vain, told from the logs."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from itertools import accumulate
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from schemas.charge import Charge
from tests.chaos.traffic import DAY_S, ORPHAN_WAIT_DAYS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.chaos.oracle import Input

_WAIT_S = ORPHAN_WAIT_DAYS * DAY_S


class Places(NamedTuple):
    """Of the disputes and outcomes by their numbers.

    Attributes
    ----------
    at
        After how many charges of its partition each counts, if it is read as it was published:
        behind its charge, and when charges have reached its time. Infinite where that never is.
    in_vain
        Those that charges may have passed by the wait before their charge came.
    """

    at: dict[int, float]
    in_vain: set[int]


def dispute_places(inputs: Iterable[Input]) -> Places:
    """Go through the logs of every partition."""
    partitions: dict[int, list[Input]] = defaultdict(list)
    for item in inputs:
        partitions[item.partition].append(item)
    places = Places({}, set())
    for items in partitions.values():
        items.sort(key=lambda item: item.offset)
        _place([item for item in items if isinstance(item.sent.event, Charge)], items, places)
    return places


def _place(charges: list[Input], items: list[Input], places: Places) -> None:
    clocks = list(accumulate((_charge(item).created for item in charges), max))
    numbers = sorted(item.sent.number for item in charges)
    first: dict[tuple[str, str], int] = {}
    for place, item in enumerate(charges):
        first.setdefault((_charge(item).card, _charge(item).id), place)
    for item in items:
        event, number = item.sent.event, item.sent.number
        if event is None or isinstance(event, Charge):
            continue
        charge = first.get((event.card, event.charge))
        published = bisect_left(numbers, number)
        in_time = bisect_left(clocks, event.created)
        places.at[number] = inf if charge is None else max(charge + 0.5, in_time, published)
        before = clocks[-1] if charge is None else clocks[charge]
        if before > event.created + _WAIT_S:
            places.in_vain.add(number)


def _charge(item: Input) -> Charge:
    assert isinstance(item.sent.event, Charge)
    return item.sent.event
