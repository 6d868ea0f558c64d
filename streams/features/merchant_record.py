"""What is remembered of a merchant: one record of fixed size, saved and restored as its bytes."""

from __future__ import annotations

import numpy as np

from streams.durations import DAY_S, HOUR_S
from streams.features.outcome_windows import ring_of, slots_of
from streams.features.windows import RING, SLOTS, TOTAL_SLOTS, tiles_in
from streams.layouts.layout import HEAD, Record, Ring, Tiles

HOUR, DAY = 1, 2
"""Places in `WINDOWS` of the windows in which distinct cards are counted."""

HOUR_WORDS, DAY_WORDS, SMALL_WORDS = 4, 4, 2
"""64-bit words of a tile's bitmap of cards: of the hour, the day, and small charges of the hour."""

DAYS = 98
"""Days of label memory: 90, the running one, and a week by which others may run ahead."""

STOP_DAYS = 34
"""Days for which it is remembered how much was stopped: 30 and the running one; no gap with 34."""

OUTCOME_WINDOWS = 2
"""Windows of outcomes: the hour and 24 hours."""

BLOCK_HOURS = 25
"""Hours for which it is remembered how much was blocked: 24 and the running one."""

MERCHANT = np.dtype(
    [
        (HEAD, "u8"),
        ("clock_s", "f8"),
        ("first_s", "f8"),
        ("dispute_clock_s", "f8"),
        ("stop_clock_s", "f8"),
        ("outcome_clock_s", "f8"),
        ("charges", "u8"),
        ("log_mean", "f8"),
        ("log_m2", "f8"),
        ("holdout_day", "u8"),
        ("holdout_loss", "f8"),
        ("review_tokens", "u8"),
        ("cards_1h", "u8", (SLOTS[HOUR] * HOUR_WORDS,)),
        ("cards_24h", "u8", (SLOTS[DAY] * DAY_WORDS,)),
        ("small_cards_1h", "u8", (SLOTS[HOUR] * SMALL_WORDS,)),
        ("counts", "u4", (TOTAL_SLOTS,)),
        ("sums", "f4", (TOTAL_SLOTS,)),
        ("small_counts_1h", "u4", (SLOTS[HOUR],)),
        ("day_charges", "u4", (DAYS,)),
        ("day_frauds", "u2", (DAYS,)),
        ("day_genuine", "u2", (DAYS,)),
        ("day_fraud_disputes", "u2", (DAYS,)),
        ("day_other_disputes", "u2", (DAYS,)),
        ("day_stopped", "u2", (STOP_DAYS,)),
        ("hours_blocked", "u2", (BLOCK_HOURS,)),
        ("declined", "u2", (slots_of(OUTCOME_WINDOWS),)),
    ],
    align=True,
)
"""A merchant's record. All zeros but for the head is a merchant never seen.

Fields
------
clock_s, first_s
    Newest time of a charge, and since when the merchant is known, Unix seconds.
dispute_clock_s
    Newest time of a dispute, or of what counts as one, Unix seconds.
stop_clock_s
    Stream time when a charge was last stopped, Unix seconds.
outcome_clock_s
    Newest time of an outcome that is counted, Unix seconds.
charges
    Charges ever counted.
log_mean, log_m2
    Mean and sum of squared deviations (Welford) of the amounts' logarithms.
holdout_day, holdout_loss
    The day of stream time, since 1970, on which a charge was last let through for the holdout, and
    the loss expected of all on that day, in the reference currency.
review_tokens
    Reviews not yet used, in millionths, where the merchant has a capacity of its own.
cards_1h, cards_24h, small_cards_1h
    Bitmaps of the cards seen in each tile (see `streams.features.distinct_counts`).
counts, sums, small_counts_1h
    The tiles of the sliding windows (see `streams.features.windows`).
day_charges, day_frauds
    Charges of each UTC day, and how many of *them* are known as fraud by now.
day_genuine
    How many of them an outcome has told to be genuine.
day_fraud_disputes, day_other_disputes
    Disputes, and what counts as one, of each UTC day, by their own time.
day_stopped
    Charges challenged, reviewed or blocked on each UTC day of stream time.
hours_blocked
    Charges blocked in each hour of stream time.
declined
    Outcomes that say so, in each tile of the windows of an hour and 24 hours (see
    `streams.features.outcome_windows`).
"""

_DAYS = (Tiles("days", DAY_S, DAYS),)

MERCHANT_LAYOUT = Record(
    "merchant",
    MERCHANT,
    rings={
        "counts": RING,
        "sums": RING,
        "cards_1h": Ring((tiles_in(HOUR, HOUR_WORDS),), "clock_s", "union"),
        "cards_24h": Ring((tiles_in(DAY, DAY_WORDS),), "clock_s", "union"),
        "small_cards_1h": Ring((tiles_in(HOUR, SMALL_WORDS),), "clock_s", "union"),
        "small_counts_1h": Ring((tiles_in(HOUR),), "clock_s"),
        "day_charges": Ring(_DAYS, "clock_s"),
        "day_genuine": Ring(_DAYS, "clock_s"),
        "day_frauds": Ring(_DAYS, "clock_s"),
        "day_fraud_disputes": Ring(_DAYS, "dispute_clock_s"),
        "day_other_disputes": Ring(_DAYS, "dispute_clock_s"),
        "day_stopped": Ring((Tiles("days", DAY_S, STOP_DAYS),), "stop_clock_s"),
        "hours_blocked": Ring((Tiles("hours", HOUR_S, BLOCK_HOURS),), "stop_clock_s"),
        "declined": ring_of(OUTCOME_WINDOWS),
    },
)
"""What another version reads it by."""
