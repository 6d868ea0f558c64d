"""Features of what charges of many cards share: a device, an IP address, an e-mail.

All kinds of shared entities have the same features and records. A charge that has none of a kind
has zeros for it; one that has counts itself, so that a count of 0 is "none".

What the actions and labels of charges say comes from the merchant stage, perhaps in a batch after
that of a later charge. So it counts from the next whole hour of stream time on, however charges are
cut into batches. Tasks have stream times of their own: a record goes by the newest that it was
told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from streams.compiled import compiled
from streams.durations import DAY_S, HOUR_S
from streams.events.rows import CHARGE, DISPUTE_WON, FRAUD_DISPUTE, STOPPED
from streams.features.merchant_outcomes import blocked_before, count_blocked
from streams.features.recent_keys import (
    distinct_in,
    place_of,
    remember,
    short_hash,
)
from streams.features.shared_record import (
    COUNTED,
    DAY,
    DAYS,
    FRAUD_DAYS,
    SEVEN_DAYS,
    SHARED,
)
from streams.features.spec import Feature, column, first_column
from streams.features.windows import (
    AHEAD_S,
    SLOTS,
    TILE_S,
    UINT32_MAX,
    WINDOWS,
    Vector,
    clear_passed,
    first_time,
    tile_of,
    tiles_of,
)

if TYPE_CHECKING:
    from streams.events.rows import Rows

PRIOR_CHARGES = 10.0
"""Genuine charges that the share of frauds begins with, while charges are few."""


def shared_features(kind: str, words: str) -> tuple[Feature, ...]:
    """Return the features of a kind of shared entity, named `words` in sentences.

    >>> [feature.name for feature in shared_features("device", "device")][:2]
    ['device_count_1h', 'device_count_24h']
    """

    def feature(name: str, unit: str, transform: Any, text: str) -> Feature:
        return Feature(f"{kind}_{name}", "entity", unit, transform, "0", text)

    return (
        *(
            feature(f"count_{window.name}", "charges", "log1p",
                    f"{{value:.0f}} charges with this {words} in the last {window.text}")
            for window in (WINDOWS[place] for place in COUNTED)
        ),
        feature("sum_24h", "reference currency", "log1p",
                f"{{value:.2f}} charged with this {words} in the last 24 hours"),
        feature("sum_7d", "reference currency", "log1p",
                f"{{value:.2f}} charged with this {words} in the last 7 days"),
        feature("cards_24h", "cards", "log1p",
                f"{{value:.0f}} cards with this {words} in the last 24 hours"),
        feature("cards_7d", "cards", "log1p",
                f"{{value:.0f}} cards with this {words} in the last 7 days"),
        feature("merchants_24h", "merchants", "log1p",
                f"{{value:.0f}} merchants with this {words} in the last 24 hours"),
        feature("card_first", "flag", "none",
                f"the card is not among the last 24 with this {words}"),
        feature("charges_before", "charges", "log1p",
                f"{{value:.0f}} charges with this {words} so far"),
        feature("age", "s", "log1p", f"this {words} was first seen {{value:.0f}} s ago"),
        feature("frauds_90d", "charges", "log1p",
                f"{{value:.0f}} charges with this {words} found to be fraud in the last 90 days"),
        feature("fraud_share", "share", "none",
                f"{{value:.0%}} of the charges with this {words} were found to be fraud (drawn "
                "towards 0 while they are few)"),
        feature("blocked_24h", "charges", "log1p",
                f"{{value:.0f}} charges with this {words} were blocked in the last 24 whole hours"),
    )  # fmt: skip


SHARED_FEATURES = shared_features("shared", "entity")
"""Those of any kind, for their order."""

COUNTS = first_column(SHARED_FEATURES, [f"shared_count_{WINDOWS[w].name}" for w in COUNTED])
SUM_24H = column(SHARED_FEATURES, "shared_sum_24h")
SUM_7D = column(SHARED_FEATURES, "shared_sum_7d")
CARDS_24H = column(SHARED_FEATURES, "shared_cards_24h")
CARDS_7D = column(SHARED_FEATURES, "shared_cards_7d")
MERCHANTS_24H = column(SHARED_FEATURES, "shared_merchants_24h")
CARD_FIRST = column(SHARED_FEATURES, "shared_card_first")
CHARGES_BEFORE = column(SHARED_FEATURES, "shared_charges_before")
AGE = column(SHARED_FEATURES, "shared_age")
FRAUDS_90D = column(SHARED_FEATURES, "shared_frauds_90d")
FRAUD_SHARE = column(SHARED_FEATURES, "shared_fraud_share")
BLOCKED_24H = column(SHARED_FEATURES, "shared_blocked_24h")

_COUNTED = tuple(COUNTED)
_DAY_SLOTS = SLOTS[DAY]


@compiled
def update_shared(records: Rows, slots: Any, events: Rows, out: Any) -> None:
    """Walk entity events in order: update each one's record, and write the features of charges.

    Parameters
    ----------
    records
        SHARED[M], updated in place.
    slots
        i8[N], the record of each event.
    events
        ENTITY_EVENT[N] (`streams.wire.entity_events`).
    out
        f4[N, len(SHARED_FEATURES)], written for charges. A duplicate gets what it would have had as
        a new one, and changes no record.
    """
    scratch = np.zeros(1, SHARED)
    for i in range(len(slots)):
        record, event = records[slots[i]], events[i]
        if event.kind == FRAUD_DISPUTE:
            count_fraud(record, event.created, 1)
        elif event.kind == DISPUTE_WON:
            count_fraud(record, event.created, -1)
        elif event.kind == STOPPED:
            count_blocked(record, event.created, True)
            record.stop_clock_s = max(record.stop_clock_s, event.created)
        elif event.kind == CHARGE and event.duplicate:
            scratch[0] = record
            count_charge(scratch[0], event, out[i])
        elif event.kind == CHARGE:
            count_charge(record, event, out[i])


@compiled
def count_charge(record: Any, event: Any, row: Vector) -> None:
    """Update a record with a charge and write the charge's features."""
    created, clock = event.created, max(record.clock_s, event.created)
    velocity(record, event, clock, row)
    company(record, event, row)
    history(record, event, row)
    record.first_s = first_time(record.charges, record.first_s, clock, created)
    record.clock_s = clock
    record.charges += 1


@compiled
def velocity(record: Any, event: Any, clock: float, row: Vector) -> None:
    """Count in the windows, and write counts and sums, itself included."""
    before, created, offset = record.clock_s, event.created, 0
    for place in range(len(_COUNTED)):
        window = _COUNTED[place]
        slots = SLOTS[window]
        row[COUNTS + place] = max(
            added(record.counts, offset, window, before, clock, created, 1.0, UINT32_MAX), 1.0
        )
        offset += slots
    amount = event.amount
    day = added(record.sums, 0, DAY, before, clock, created, amount, np.inf)
    week = added(record.sums, _DAY_SLOTS, SEVEN_DAYS, before, clock, created, amount, np.inf)
    row[SUM_24H], row[SUM_7D] = max(day, amount), max(week, amount)


@compiled
def added(
    ring: Any,
    offset: int,
    window: int,
    before_s: float,
    clock_s: float,
    created_s: float,
    value: float,
    largest: float,
) -> float:
    """Add a value of a charge to its tile of a window, and give the window that ends at its time.

    Parameters
    ----------
    ring
        Rings of several windows, of which the one of `window` begins at `offset`.
    before_s, clock_s
        The clock of the record before the charge and with it, Unix seconds.
    created_s, value
        When the charge was made, Unix seconds, and what is added.
    largest
        What a tile holds at most.
    """
    slots, newest = SLOTS[window], tile_of(clock_s, TILE_S[window])
    if clock_s != before_s:
        clear_passed(ring, offset, slots, tile_of(before_s, TILE_S[window]), newest)
    last, left = tiles_of(window, clock_s, created_s)
    slot, total = last % slots, 0.0
    if newest - last < slots:
        ring[offset + slot] = min(ring[offset + slot] + value, largest)
    for _ in range(left):
        total += ring[offset + slot]
        slot = slot - 1 if slot > 0 else slots - 1
    return total


@compiled
def company(record: Any, event: Any, row: Vector) -> None:
    """Write which cards and merchants used it lately; remember those of the charge.

    What was last used up to `AHEAD_S` after the charge counts as used before, as for a card.
    """
    created, end = event.created, event.created + AHEAD_S
    card, merchant = short_hash(event.card), short_hash(event.merchant)
    row[CARD_FIRST] = place_of(record.cards, card) < 0
    remember(record.cards, record.cards_seen, card, created)
    remember(record.merchants, record.merchants_seen, merchant, created)
    row[CARDS_24H] = distinct_in(record.cards, record.cards_seen, card, created - DAY_S, end)
    row[CARDS_7D] = distinct_in(record.cards, record.cards_seen, card, created - 7 * DAY_S, end)
    row[MERCHANTS_24H] = distinct_in(
        record.merchants, record.merchants_seen, merchant, created - DAY_S, end
    )


@compiled
def history(record: Any, event: Any, row: Vector) -> None:
    """Write how well it is known, and how its charges ended that were judged before this hour."""
    charges = float(record.charges)
    frauds = frauds_before(record, max(event.now, record.fraud_clock_s))
    row[CHARGES_BEFORE] = charges
    row[AGE] = max(event.created - record.first_s, 0.0) if charges > 0 else 0.0
    row[FRAUDS_90D] = frauds
    row[FRAUD_SHARE] = min(frauds / (charges + PRIOR_CHARGES), 1.0)
    row[BLOCKED_24H] = blocked_before(record, max(event.now, record.stop_clock_s))


@compiled
def frauds_before(record: Any, now: float) -> float:
    """Count the frauds of 90 days that were told before the hour of a stream time."""
    newest, today = tile_of(record.fraud_clock_s, DAY_S), tile_of(now, DAY_S)
    frauds = 0
    for day in range(max(today - FRAUD_DAYS, newest - DAYS + 1), min(today, newest) + 1):
        frauds += record.day_frauds[day % DAYS]
    if (
        tile_of(record.fraud_clock_s, HOUR_S) < tile_of(now, HOUR_S)
        and newest >= today - FRAUD_DAYS
    ):
        frauds += record.hour_frauds
    return float(max(frauds, 0))


@compiled
def count_fraud(record: Any, now: float, change: int) -> None:
    """Count a charge that is found to be a fraud at a stream time, or one less."""
    hour, newest = tile_of(now, HOUR_S), tile_of(record.fraud_clock_s, HOUR_S)
    day, newest_day = tile_of(now, DAY_S), tile_of(record.fraud_clock_s, DAY_S)
    if hour > newest:
        record.day_frauds[newest_day % DAYS] += record.hour_frauds
        clear_passed(record.day_frauds, 0, DAYS, newest_day, day)
        record.hour_frauds, record.fraud_clock_s = change, now
    elif hour == newest:
        record.hour_frauds += change
    elif newest_day - day < DAYS:
        record.day_frauds[day % DAYS] += change
