"""What is remembered of a device, an address or an e-mail: a record of fixed size."""

from __future__ import annotations

import numpy as np

from streams.durations import DAY_S, HOUR_S
from streams.features.merchant_record import BLOCK_HOURS
from streams.features.windows import SLOTS, tiles_in
from streams.layouts.layout import HEAD, Record, Ring, Tiles

LATEST_CARDS = 24
LATEST_MERCHANTS = 12
FRAUD_DAYS = 90
"""Days for which a charge that was found to be a fraud counts, beside that of the charge."""

DAYS = FRAUD_DAYS + 1
"""Days for which it is kept: those, and that of the charge."""


SPARE = 5

HOUR, DAY, SEVEN_DAYS = 1, 2, 3
"""Places in `WINDOWS` of the windows that are kept."""

COUNTED = (HOUR, DAY, SEVEN_DAYS)
"""Windows of counts."""

SUMMED = (DAY, SEVEN_DAYS)
"""Windows of sums."""

SHARED = np.dtype(
    [
        (HEAD, "u8"),
        ("clock_s", "f8"),
        ("first_s", "f8"),
        ("stop_clock_s", "f8"),
        ("fraud_clock_s", "f8"),
        ("charges", "u8"),
        ("counts", "u4", (sum(SLOTS[window] for window in COUNTED),)),
        ("sums", "f4", (sum(SLOTS[window] for window in SUMMED),)),
        ("cards", "u4", (LATEST_CARDS,)),
        ("cards_seen", "u4", (LATEST_CARDS,)),
        ("merchants", "u4", (LATEST_MERCHANTS,)),
        ("merchants_seen", "u4", (LATEST_MERCHANTS,)),
        ("day_frauds", "i2", (DAYS,)),
        ("hour_frauds", "i2"),
        ("hours_blocked", "u2", (BLOCK_HOURS,)),
        ("spare", "u2", (SPARE,)),
    ],
    align=True,
)
"""A shared entity's record. All zeros but for the head is one never seen.

Fields
------
clock_s, first_s
    Newest time of a charge, and since when it is known, Unix seconds.
stop_clock_s, fraud_clock_s
    Newest stream time at which a charge was blocked, and found to be a fraud, Unix seconds.
charges
    Charges ever counted.
counts, sums
    The tiles of the sliding windows (see `streams.features.windows`).
cards, merchants (and _seen)
    Which used it lately (see `streams.features.recent_keys`).
day_frauds, hour_frauds
    Charges that were found to be frauds, less those whose dispute was won, by the UTC day of stream
    time at which that was told; those of the newest hour, which are not among these yet.
hours_blocked
    Charges that were blocked, by the hour.
spare
    Nothing: a gap would not be copied with the record.
"""

SHARED_LAYOUT = Record(
    "shared",
    SHARED,
    rings={
        "counts": Ring(tuple(map(tiles_in, COUNTED)), "clock_s"),
        "sums": Ring(tuple(map(tiles_in, SUMMED)), "clock_s"),
        "day_frauds": Ring((Tiles("days", DAY_S, DAYS),), "fraud_clock_s"),
        "hours_blocked": Ring((Tiles("hours", HOUR_S, BLOCK_HOURS),), "stop_clock_s"),
    },
    is_sparse=True,
)
"""What another version reads it by."""
