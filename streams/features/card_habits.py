"""A card's habits: at what hours it is used, for which categories, and in which countries.

Each is a share of its earlier charges, drawn to what is usual while these are few. Counts are of
one byte: when one is full, all of its kind are halved, so habits of long ago count less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from streams.compiled import compiled
from streams.durations import DAY_S, HOUR_S
from streams.features.recent_keys import place_of
from streams.features.spec import Feature, column

if TYPE_CHECKING:
    from streams.features.recent_keys import Keys
    from streams.features.windows import Vector

HOURS, WEEKDAYS = 24, 7

PRIOR_CHARGES = 5.0
"""How many charges speak for what is usual."""

USUAL_SHARE = 0.1
"""Share of its charges that a card without habits is taken to make in one category, or country."""

COUNT_MAX = 255

Counts = np.ndarray[Any, np.dtype[np.uint8]]


def _feature(name: str, unit: str, missing: str, text: str) -> Feature:
    return Feature(f"card_{name}", "card", unit, "none", missing, text)


HABIT_FEATURES = (
    _feature("hour_share", "share", "0.125 (3 hours of 24)",
             "{value:.0%} of this card's charges are made within an hour of this time of day"),
    _feature("weekday_share", "share", "0.143 (a day of 7)",
             "{value:.0%} of this card's charges are made on this day of the week"),
    _feature("category_share", "share", "0.1",
             "{value:.0%} of this card's charges are of the shop's category"),
    _feature("country_share", "share", "0.1",
             "{value:.0%} of this card's charges are in the shop's country"),
    _feature("category_first", "flag", "0", "the shop's category is new for this card"),
)  # fmt: skip

HOUR_SHARE = column(HABIT_FEATURES, "card_hour_share")
WEEKDAY_SHARE = column(HABIT_FEATURES, "card_weekday_share")
CATEGORY_SHARE = column(HABIT_FEATURES, "card_category_share")
COUNTRY_SHARE = column(HABIT_FEATURES, "card_country_share")
CATEGORY_FIRST = column(HABIT_FEATURES, "card_category_first")


@compiled
def habits(record: Any, event: Any, row: Vector) -> None:
    """Write how a charge compares with the card's habits, and count it among them.

    Countries have still to be remembered (`streams.features.card_places`), in the order of which
    their uses are.
    """
    hour = int(event.created // HOUR_S) % HOURS
    hours = record.hours
    around = hours[hour - 1] + hours[hour] + hours[(hour + 1) % HOURS]
    row[HOUR_SHARE] = share(around, total(hours), 3.0 / HOURS)
    count(hours, hour)
    weekday = int(event.created // DAY_S) % WEEKDAYS
    row[WEEKDAY_SHARE] = share(record.weekdays[weekday], total(record.weekdays), 1.0 / WEEKDAYS)
    count(record.weekdays, weekday)

    category = event.mcc
    place = place_of(record.categories, category)
    row[CATEGORY_SHARE] = share_of_key(record.category_uses, place, category != 0)
    row[CATEGORY_FIRST] = category != 0 and place < 0
    if category != 0:
        put_first(record.categories, place, category)
        count_use(record.category_uses, place)
    country = event.merchant_country
    place = place_of(record.countries, country)
    row[COUNTRY_SHARE] = share_of_key(record.country_uses, place, country != 0)
    if country != 0:
        count_use(record.country_uses, place)


@compiled
def total(counts: Counts) -> float:
    """Add counts up."""
    added = 0.0
    for place in range(len(counts)):
        added += counts[place]
    return added


@compiled
def share(uses: float, charges: float, usual: float) -> float:
    """Give the share of uses among charges, drawn towards what is usual while these are few."""
    return (uses + PRIOR_CHARGES * usual) / (charges + PRIOR_CHARGES)


@compiled
def share_of_key(uses: Counts, place: int, is_known: bool) -> float:
    """Give the share of the key at a place (-1 for a new one) among the uses of all."""
    if not is_known:
        return USUAL_SHARE
    return share(uses[place] if place >= 0 else 0.0, total(uses), USUAL_SHARE)


@compiled
def count(counts: Counts, place: int) -> None:
    """Add one at a place, after all are halved if it is full."""
    if counts[place] == COUNT_MAX:
        for each in range(len(counts)):
            counts[each] //= 2
    counts[place] += 1


@compiled
def put_first(keys: Keys, place: int, key: Any) -> None:
    """Put the key at a place first, or a new one (-1) in the place of the last."""
    for i in range(place if place >= 0 else len(keys) - 1, 0, -1):
        keys[i] = keys[i - 1]
    keys[0] = key


@compiled
def count_use(uses: Counts, place: int) -> None:
    """Put the uses of the key at a place first, or of a new one (-1), and add one."""
    before = uses[place] if place >= 0 else np.uint8(0)
    put_first(uses, place, before)
    count(uses, 0)
