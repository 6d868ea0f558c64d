"""The merchant's features: how a charge fits what its merchant sees, and how that ended before."""

from __future__ import annotations

from math import log1p, sqrt
from typing import Any

import numpy as np

from streams.compiled import compiled
from streams.events.rows import CHARGE, Rows
from streams.features.distinct_counts import clear_passed_bits, distinct, set_bit
from streams.features.merchant_fraud_history import (
    LABEL_FEATURES,
    count_day,
    count_label,
    dispute_shares,
    latest_labels,
    stopped_shares,
)
from streams.features.merchant_outcomes import OUTCOME_FEATURES, count_outcome, outcomes
from streams.features.merchant_record import DAY, DAY_WORDS, HOUR, HOUR_WORDS, MERCHANT, SMALL_WORDS
from streams.features.spec import Feature, column, first_column
from streams.features.windows import (
    SLOTS,
    TILE_S,
    UINT32_MAX,
    WINDOWS,
    Vector,
    clear_passed,
    count_in_windows,
    first_time,
    tile_of,
    tiles_of,
    total_names,
)

SMALL_AMOUNT = 5.0
"""Below this, in the reference currency, a charge is small: what is used to try cards out."""


def _feature(name: str, unit: str, transform: Any, missing: str, text: str) -> Feature:
    return Feature(f"merchant_{name}", "merchant", unit, transform, missing, text)


_VELOCITY = (
    *(
        _feature(f"count_{w.name}", "charges", "log1p", "1 (itself)",
                 "{value:.0f} charges at this merchant in the last " + w.text)
        for w in WINDOWS
    ),
    *(
        _feature(f"sum_{w.name}", "reference currency", "log1p", "its own amount",
                 "{value:.2f} charged at this merchant in the last " + w.text)
        for w in WINDOWS
    ),
    _feature("pace_1h", "times usual", "log1p", "168 (itself)",
             "the merchant is {value:.1f} times as busy as in the last 7 days"),
)  # fmt: skip
_CARDS = (
    _feature("cards_1h", "cards", "log1p", "1", "{value:.0f} cards at this merchant in an hour"),
    _feature("cards_24h", "cards", "log1p", "1", "{value:.0f} cards at this merchant in a day"),
    _feature("small_cards_1h", "cards", "log1p", "0",
             "{value:.0f} cards with small charges at this merchant in an hour"),
    _feature("small_share_1h", "share", "none", "0",
             "{value:.0%} of the merchant's charges of the last hour are small"),
)  # fmt: skip
_HISTORY = (
    _feature("charges_before", "charges", "log1p", "0",
             "{value:.0f} charges at this merchant so far"),
    _feature("age", "s", "log1p", "0", "the merchant was first seen {value:.0f} s ago"),
    _feature("amount_log_ratio", "ln", "none", "0",
             "the amount is far from this merchant's usual (log ratio {value:+.1f})"),
    _feature("amount_log_zscore", "standard deviations", "signed_log", "0",
             "the amount's order of magnitude is {value:+.1f} deviations from this merchant's"),
)  # fmt: skip

MERCHANT_FEATURES = (*_VELOCITY, *_CARDS, *_HISTORY, *LABEL_FEATURES, *OUTCOME_FEATURES)

assert (
    first_column(MERCHANT_FEATURES, total_names("merchant")) == 0
)  # where `count_in_windows` writes
COUNT_1H = column(MERCHANT_FEATURES, "merchant_count_1h")
COUNT_7D = column(MERCHANT_FEATURES, "merchant_count_7d")
PACE_1H = column(MERCHANT_FEATURES, "merchant_pace_1h")
CARDS_1H = column(MERCHANT_FEATURES, "merchant_cards_1h")
CARDS_24H = column(MERCHANT_FEATURES, "merchant_cards_24h")
SMALL_CARDS_1H = column(MERCHANT_FEATURES, "merchant_small_cards_1h")
SMALL_SHARE_1H = column(MERCHANT_FEATURES, "merchant_small_share_1h")
CHARGES_BEFORE = column(MERCHANT_FEATURES, "merchant_charges_before")
AGE = column(MERCHANT_FEATURES, "merchant_age")
AMOUNT_LOG_RATIO = column(MERCHANT_FEATURES, "merchant_amount_log_ratio")
AMOUNT_LOG_ZSCORE = column(MERCHANT_FEATURES, "merchant_amount_log_zscore")
LABELS = first_column(MERCHANT_FEATURES, [feature.name for feature in LABEL_FEATURES])
OUTCOMES = first_column(MERCHANT_FEATURES, [feature.name for feature in OUTCOME_FEATURES])


@compiled
def update_merchants(
    records: Rows,
    slots: Any,
    events: Rows,
    out: Any,
    charge_created: Any,
    counted: Any,
    times: Any,
    horizon_s: float,
) -> None:
    """Walk a batch in order: update each event's merchant and write its features.

    Parameters
    ----------
    records
        MERCHANT[M], updated in place.
    slots
        i8[N], the record of each event.
    events
        EVENT[N].
    out
        f4[N, len(MERCHANT_FEATURES)], written. A duplicate charge gets what it would have had as a
        new one; a dispute gets zeros.
    charge_created
        f8[N], for a dispute or outcome the time of its charge, NaN if unknown; else unused.
    counted
        bool[N], false for a duplicate, which changes no record.
    times
        f8[N], stream time at each event, Unix seconds.
    horizon_s
        Age at which an undisputed charge counts as labelled good, seconds.
    """
    scratch = np.zeros(1, MERCHANT)
    for i in range(len(slots)):
        record, event = records[slots[i]], events[i]
        if event.kind != CHARGE:
            out[i, :] = 0.0
            if counted[i]:
                count_label(record, event, charge_created[i])
                count_outcome(record, event)
        elif counted[i]:
            count_charge(record, event, times[i], horizon_s, out[i])
        else:
            scratch[0] = record
            count_charge(scratch[0], event, times[i], horizon_s, out[i])


@compiled
def count_charge(record: Any, event: Any, now: float, horizon_s: float, row: Vector) -> None:
    """Update a merchant's record with a charge and write the charge's features."""
    created, clock = event.created, max(record.clock_s, event.created)
    count_day(record, clock, created)
    count_cards(record, event, clock)
    velocity(record, event, clock, row)
    cards(record, event, clock, row)
    history(record, event, row)
    dispute_shares(record, clock, created, row[LABELS:])
    latest_labels(record, clock, created, horizon_s, row[LABELS:])
    stopped_shares(record, clock, created, now, row[LABELS:])
    outcomes(record, created, now, row[OUTCOMES:])
    learn_amount(record, event.amount)
    record.first_s = first_time(record.charges, record.first_s, clock, created)
    record.clock_s = clock
    record.charges += 1


@compiled
def count_cards(record: Any, event: Any, clock: float) -> None:
    """Move the bitmaps of cards to `clock` and set the card's bits."""
    before, after = tile_of(record.clock_s, TILE_S[HOUR]), tile_of(clock, TILE_S[HOUR])
    clear_passed_bits(record.cards_1h, HOUR_WORDS, before, after)
    clear_passed_bits(record.small_cards_1h, SMALL_WORDS, before, after)
    clear_passed(record.small_counts_1h, 0, SLOTS[HOUR], before, after)
    tile = tile_of(event.created, TILE_S[HOUR])
    if after - tile < SLOTS[HOUR]:
        set_bit(record.cards_1h, HOUR_WORDS, tile, event.card)
        if event.amount < SMALL_AMOUNT:
            set_bit(record.small_cards_1h, SMALL_WORDS, tile, event.card)
            slot = tile % SLOTS[HOUR]
            record.small_counts_1h[slot] = min(record.small_counts_1h[slot] + 1, UINT32_MAX)

    before, after = tile_of(record.clock_s, TILE_S[DAY]), tile_of(clock, TILE_S[DAY])
    clear_passed_bits(record.cards_24h, DAY_WORDS, before, after)
    tile = tile_of(event.created, TILE_S[DAY])
    if after - tile < SLOTS[DAY]:
        set_bit(record.cards_24h, DAY_WORDS, tile, event.card)


@compiled
def velocity(record: Any, event: Any, clock: float, row: Vector) -> None:
    """Count in the windows; write counts and sums, itself included, and the pace of the hour."""
    count_in_windows(
        record.counts, record.sums, record.clock_s, clock, event.created, event.amount, row
    )
    row[PACE_1H] = 168.0 * row[COUNT_1H] / max(row[COUNT_7D], 1.0)


@compiled
def cards(record: Any, event: Any, clock: float, row: Vector) -> None:
    """Write how many cards came, and how many with small charges: cards being tried out.

    A charge that is too late for the tiles counts itself.
    """
    small = 1 if event.amount < SMALL_AMOUNT else 0
    last, left = tiles_of(HOUR, clock, event.created)
    row[CARDS_1H] = distinct(record.cards_1h, HOUR_WORDS, last, left, 1)
    row[SMALL_CARDS_1H] = distinct(record.small_cards_1h, SMALL_WORDS, last, left, small)
    charges = 0.0
    for tile in range(last - left + 1, last + 1):
        charges += record.small_counts_1h[tile % SLOTS[HOUR]]
    row[SMALL_SHARE_1H] = max(charges, small) / row[COUNT_1H]
    last, left = tiles_of(DAY, clock, event.created)
    row[CARDS_24H] = distinct(record.cards_24h, DAY_WORDS, last, left, 1)


@compiled
def history(record: Any, event: Any, row: Vector) -> None:
    """Write how well the merchant is known, and how the amount compares with its earlier ones."""
    n = float(record.charges)
    off = log1p(event.amount) - record.log_mean
    row[CHARGES_BEFORE] = n
    row[AGE] = max(event.created - record.first_s, 0.0) if n > 0 else 0.0
    row[AMOUNT_LOG_RATIO] = off if n > 0 else 0.0
    row[AMOUNT_LOG_ZSCORE] = off / (sqrt(record.log_m2 / n) + 0.1) if n > 1 else 0.0


@compiled
def learn_amount(record: Any, amount: float) -> None:
    """Add an amount to the moments of the merchant's history (Welford's update)."""
    off = log1p(amount) - record.log_mean
    record.log_mean += off / (record.charges + 1.0)
    record.log_m2 += off * (log1p(amount) - record.log_mean)
