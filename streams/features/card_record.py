"""What is remembered of a card: one record of fixed size, saved and restored as its bytes."""

from __future__ import annotations

import numpy as np

from streams.features.card_habits import HOURS, WEEKDAYS
from streams.features.outcome_windows import ring_of, slots_of
from streams.features.windows import RING, SLOTS, TOTAL_SLOTS, tiles_in
from streams.layouts.layout import HEAD, Record, Ring

LATEST_CHARGES = 8
LATEST_MERCHANTS = 32
LATEST_COUNTRIES = 6
LATEST_DEVICES = 8
LATEST_DISPUTES = 8
LATEST_CATEGORIES = 8

DAY, SEVEN_DAYS = 2, 3
"""Places in `WINDOWS` of the windows that also keep failed checks, and the largest deviation."""

OUTCOME_WINDOWS = 3
"""Windows of outcomes, from the hour on: up to 7 days."""

CARD = np.dtype(
    [
        (HEAD, "u8"),
        ("clock_s", "f8"),
        ("first_s", "f8"),
        ("charges", "u8"),
        ("amount_mean", "f8"),
        ("amount_m2", "f8"),
        ("recent_mean", "f8"),
        ("largest", "f8"),
        ("overflow_until", "f8"),
        ("outcome_clock_s", "f8"),
        ("charge_ids", "u8", (LATEST_CHARGES, 2)),
        ("charge_created", "f8", (LATEST_CHARGES,)),
        ("charge_clock", "f8", (LATEST_CHARGES,)),
        ("counts", "u4", (TOTAL_SLOTS,)),
        ("sums", "f4", (TOTAL_SLOTS,)),
        ("deviations_7d", "f4", (SLOTS[SEVEN_DAYS],)),
        ("merchants", "u4", (LATEST_MERCHANTS,)),
        ("merchants_seen", "u4", (LATEST_MERCHANTS,)),
        ("merchant_uses", "u2", (LATEST_MERCHANTS,)),
        ("failed_checks_24h", "u2", (SLOTS[DAY],)),
        ("categories", "u2", (LATEST_CATEGORIES,)),
        ("devices", "u4", (LATEST_DEVICES,)),
        ("devices_seen", "u4", (LATEST_DEVICES,)),
        ("countries", "u4", (LATEST_COUNTRIES,)),
        ("countries_seen", "u4", (LATEST_COUNTRIES,)),
        ("disputed_at", "u4", (LATEST_DISPUTES,)),
        ("dispute_kinds", "u1", (LATEST_DISPUTES,)),
        ("declined", "u1", (slots_of(OUTCOME_WINDOWS),)),
        ("blocked", "u1", (slots_of(OUTCOME_WINDOWS),)),
        ("hours", "u1", (HOURS,)),
        ("weekdays", "u1", (WEEKDAYS,)),
        ("category_uses", "u1", (LATEST_CATEGORIES,)),
        ("country_uses", "u1", (LATEST_COUNTRIES,)),
        ("spare", "u1", (3,)),
    ],
    align=True,
)
"""A card's record. All zeros but for the head is a card never seen.

Fields
------
clock_s, first_s
    Newest time of a charge, and since when the card is known, Unix seconds.
charges
    Charges ever counted.
amount_mean, amount_m2
    Mean and sum of squared deviations (Welford) of the amounts.
recent_mean
    Exponentially weighted mean of ln(1 + amount).
largest
    Largest amount so far.
overflow_until
    Up to which clock duplicates may come of a charge id that is not in `charge_ids` any more, Unix
    seconds.
outcome_clock_s
    Newest time of an outcome that is counted, Unix seconds.
charge_ids, charge_created, charge_clock
    Ids and times of the charges that arrived last, and the clock at which they did: a ring written
    at `charges` modulo its length.
counts, sums
    The tiles of the sliding windows (see `streams.features.windows`).
deviations_7d
    The largest log ratio of an amount to the card's mean in each tile of the window of 7 days.
merchants, devices, countries (and _seen), merchant_uses
    Where the card was used lately (see `streams.features.recent_keys`).
failed_checks_24h
    Charges with a failed check in each tile of the window of 24 hours.
disputed_at, dispute_kinds
    The latest disputes, the latest arrival first.
hours, weekdays
    Charges by the hour of the day and the day of the week, in UTC (see
    `streams.features.card_habits`).
categories, category_uses, country_uses
    Merchant categories used lately, and how often these and the countries were.
spare
    Nothing: a gap would not be copied with the record.
declined, blocked
    Outcomes that say so, in each tile of the windows of an hour, 24 hours and 7 days (see
    `streams.features.outcome_windows`).
"""

CARD_LAYOUT = Record(
    "card",
    CARD,
    rings={
        "counts": RING,
        "sums": RING,
        "deviations_7d": Ring((tiles_in(SEVEN_DAYS),), "clock_s", "larger"),
        "failed_checks_24h": Ring((tiles_in(DAY),), "clock_s"),
        "declined": ring_of(OUTCOME_WINDOWS),
        "blocked": ring_of(OUTCOME_WINDOWS),
    },
)
"""What another version reads it by."""
