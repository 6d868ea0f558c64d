"""The card's features: how a charge compares with what its card did before."""

from __future__ import annotations

from math import ceil, log, log1p, sqrt
from typing import Any

import numpy as np

from streams.card_record import CARD, SEVEN_DAYS
from streams.compiled import compiled
from streams.events import CHARGE, FRAUD_DISPUTE, Rows
from streams.feature import Feature
from streams.recent import distinct_since, place_of, remember, short_hash, whole_seconds
from streams.repeats import EVICTED, is_repeat, remember_id, was_evicted
from streams.windows import (
    DAY_S,
    N_WINDOWS,
    WINDOWS,
    Vector,
    add_to_maxima,
    add_to_windows,
    advance_maxima,
    advance_windows,
    window_totals,
)

__all__ = ["CARD_FEATURES", "EVICTED", "update_cards"]

NEVER_S = 90 * DAY_S
"""Longest time since anything, in seconds, and the value of "never"."""

ZSCORE_LIMIT = 10.0
"""Bound of a z-score: beyond it, more is not more unusual."""

LN_2 = log(2.0)

RECENT_WEIGHT = 0.1
"""Weight of the newest charge in the exponentially weighted mean: about the last 20 count."""


def _feature(name: str, unit: str, transform: Any, missing: str, text: str) -> Feature:
    return Feature(f"card_{name}", "card", unit, transform, missing, text)


_VELOCITY = (
    *(
        _feature(f"count_{w.name}", "charges", "log1p", "1 (itself)",
                 "{value:.0f} charges on this card in the last " + w.text)
        for w in WINDOWS
    ),
    *(
        _feature(f"sum_{w.name}", "reference currency", "log1p", "its own amount",
                 "{value:.2f} spent on this card in the last " + w.text)
        for w in WINDOWS
    ),
    _feature("pace_24h", "times usual", "log1p", "30 (itself)",
             "the card is used {value:.1f} times as often as in the last 30 days"),
)  # fmt: skip
_HISTORY = (
    _feature("charges_before", "charges", "log1p", "0", "{value:.0f} charges on this card so far"),
    _feature("age", "s", "log1p", "0", "the card was first seen {value:.0f} s ago"),
    _feature("since_previous", "s", "log1p", "90 days",
             "{value:.0f} s since the card's previous charge"),
)  # fmt: skip
_AMOUNT = (
    _feature("amount_log_ratio", "ln", "none", "0",
             "the amount is far from this card's mean (log ratio {value:+.1f})"),
    _feature("amount_over_2x", "ln", "none", "0",
             "the amount is more than twice this card's mean (beyond it by ln {value:.1f})"),
    _feature("amount_over_4x", "ln", "none", "0",
             "the amount is more than four times this card's mean (beyond it by ln {value:.1f})"),
    _feature("amount_zscore", "standard deviations", "none", "0",
             "the amount is {value:+.1f} standard deviations from this card's mean"),
    _feature("amount_recent_log_ratio", "ln", "none", "0",
             "the amount is far from this card's latest ones (log ratio {value:+.1f})"),
    _feature("amount_largest_log_ratio", "ln", "none", "0",
             "the amount against this card's largest so far (log ratio {value:+.1f})"),
    _feature("deviation_7d", "ln", "none", "0",
             "an amount far above this card's mean in the last 7 days (log ratio {value:.1f})"),
    _feature("deviation_again", "ln squared", "none", "0",
             "again an amount far above this card's mean, within 7 days"),
)  # fmt: skip
_PLACES = (
    _feature("merchants_1h", "merchants", "log1p", "1", "{value:.0f} merchants in the last hour"),
    _feature("merchants_24h", "merchants", "log1p", "1",
             "{value:.0f} merchants in the last 24 hours"),
    _feature("merchants_7d", "merchants", "log1p", "1", "{value:.0f} merchants in the last 7 days"),
    _feature("countries_30d", "countries", "log1p", "0",
             "{value:.0f} merchant countries in the last 30 days"),
    _feature("devices_30d", "devices", "log1p", "0", "{value:.0f} devices in the last 30 days"),
    _feature("merchant_first", "flag", "none", "1",
             "this merchant is not among the card's last 32"),
    _feature("since_merchant", "s", "log1p", "90 days",
             "{value:.0f} s since the card was last used at this merchant"),
    _feature("country_first", "flag", "none", "0", "the merchant's country is new for this card"),
    _feature("device_first", "flag", "none", "0", "the device is new for this card"),
)  # fmt: skip
_DISPUTES = (
    _feature("fraud_disputes", "disputes", "log1p", "0",
             "{value:.0f} fraud disputes on this card in the last 90 days"),
    _feature("other_disputes", "disputes", "log1p", "0",
             "{value:.0f} other disputes on this card in the last 90 days"),
    _feature("since_fraud_dispute", "s", "log1p", "90 days",
             "{value:.0f} s since the card's last fraud dispute"),
)  # fmt: skip

CARD_FEATURES = (*_VELOCITY, *_HISTORY, *_AMOUNT, *_PLACES, *_DISPUTES)

HISTORY = len(_VELOCITY)
AMOUNT = HISTORY + len(_HISTORY)
PLACES = AMOUNT + len(_AMOUNT)
DISPUTES = PLACES + len(_PLACES)


@compiled
def update_cards(
    records: Rows,
    slots: Any,
    events: Rows,
    seen_until: Any,
    dedup_window_s: float,
    out: Any,
    evicted: Rows,
) -> int:
    """Walk a batch in order: update each event's card and write its features.

    Parameters
    ----------
    records
        CARD[C], updated in place.
    slots
        i8[N], the record of each event.
    events
        EVENT[N]. `duplicate` is set on every event that has come before: these change no record.
    seen_until
        f8[N], up to which clock of its card an event is a repeat by what the caller knows, Unix
        seconds, infinite for a repeated dispute; -inf for what is new to it.
    dedup_window_s
        How far apart the times of two charges of one id may be for the second to be a repeat, and
        how far the card's clock may have moved since the first came.
    out
        f4[N, len(CARD_FEATURES)], written. A repeat gets what it would have had as a new charge; a
        dispute gets zeros.
    evicted
        EVICTED[N], written from its start.

    Returns
    -------
    int
        How many ids were evicted. The caller keeps these, and sets `seen_until` by them for the
        later charges of the card, while its clock has not passed `overflow_until`.
    """
    scratch = np.zeros(1, CARD)
    evictions = 0
    for i in range(len(slots)):
        record, event = records[slots[i]], events[i]
        if event.kind != CHARGE:
            out[i, :] = 0.0
            event.duplicate = seen_until[i] >= event.created
            if not event.duplicate:
                remember_dispute(record, event)
        elif (
            seen_until[i] >= max(record.clock_s, event.created)
            or is_repeat(record, event, dedup_window_s)
            or was_evicted(record, evicted, evictions, slots[i], event, dedup_window_s)
        ):
            event.duplicate = 1
            scratch[0] = record
            count_charge(scratch[0], event, out[i])
        else:
            evictions += remember_id(record, event, slots[i], dedup_window_s, evicted, evictions)
            count_charge(record, event, out[i])
    return evictions


@compiled
def remember_dispute(record: Any, event: Any) -> None:
    """Put a dispute first among the latest; the one that arrived longest ago is forgotten."""
    for place in range(len(record.disputed_at) - 1, 0, -1):
        record.disputed_at[place] = record.disputed_at[place - 1]
        record.dispute_kinds[place] = record.dispute_kinds[place - 1]
    record.disputed_at[0] = whole_seconds(ceil(event.created))
    record.dispute_kinds[0] = event.kind


@compiled
def count_charge(record: Any, event: Any, row: Vector) -> None:
    """Update a card's record with a charge and write the charge's features."""
    now = max(record.clock_s, event.created)
    advance_windows(record.counts, record.sums, record.clock_s, now)
    advance_maxima(record.deviations_7d, SEVEN_DAYS, record.clock_s, now)
    add_to_windows(record.counts, record.sums, now, event.created, event.amount)
    velocity(record, row)
    history(record, now, row)
    amount_against_history(record, event.amount, row)
    places(record, event, now, row)
    disputes(record, now, row)
    add_to_maxima(record.deviations_7d, SEVEN_DAYS, now, event.created, row[AMOUNT])
    learn_amount(record, event.amount)
    if record.charges == 0:
        record.first_s = event.created
    record.clock_s = now
    record.charges += 1


@compiled
def velocity(record: Any, row: Vector) -> None:
    """Write counts and sums by window, itself included, and the pace of the day."""
    window_totals(record.counts, record.sums, row)
    row[2 * N_WINDOWS] = 30.0 * row[2] / max(row[4], 1.0)


@compiled
def history(record: Any, now: float, row: Vector) -> None:
    """Write how long and how well the card is known."""
    known = record.charges > 0
    row[HISTORY] = record.charges
    row[HISTORY + 1] = max(now - record.first_s, 0.0) if known else 0.0
    row[HISTORY + 2] = min(now - record.clock_s, NEVER_S) if known else NEVER_S


@compiled
def amount_against_history(record: Any, amount: float, row: Vector) -> None:
    """Write how the amount compares with the card's earlier ones.

    The standard deviation has a floor, a unit and a tenth of the mean, so that a card that always
    paid the same is not infinitely surprised.
    """
    row[AMOUNT:PLACES] = 0.0
    if record.charges == 0:
        return
    size, mean = log1p(amount), record.amount_mean
    ratio = size - log1p(mean)
    deviation = sqrt(record.amount_m2 / record.charges) + 1.0 + 0.1 * mean
    zscore = (amount - mean) / deviation
    before = record.deviations_7d.max()
    row[AMOUNT] = ratio
    row[AMOUNT + 1] = max(ratio - LN_2, 0.0)
    row[AMOUNT + 2] = max(ratio - 2.0 * LN_2, 0.0)
    row[AMOUNT + 3] = min(max(zscore, -ZSCORE_LIMIT), ZSCORE_LIMIT)
    row[AMOUNT + 4] = size - record.recent_mean
    row[AMOUNT + 5] = size - log1p(record.largest)
    row[AMOUNT + 6] = before
    row[AMOUNT + 7] = before * max(ratio, 0.0)


@compiled
def learn_amount(record: Any, amount: float) -> None:
    """Add an amount to the card's history.

    Welford's update of mean and variance (Technometrics 4(3), 1962), and an exponentially weighted
    mean of the logarithm that starts as a plain one.
    """
    n = record.charges + 1.0
    off = amount - record.amount_mean
    record.amount_mean += off / n
    record.amount_m2 += off * (amount - record.amount_mean)
    record.recent_mean += max(RECENT_WEIGHT, 1.0 / n) * (log1p(amount) - record.recent_mean)
    record.largest = max(record.largest, amount)


@compiled
def places(record: Any, event: Any, now: float, row: Vector) -> None:
    """Write where the card is used now, against where it was used lately; remember it."""
    merchant = short_hash(event.merchant)
    place = place_of(record.merchants, merchant)
    row[PLACES + 5] = place < 0
    row[PLACES + 6] = NEVER_S
    if place >= 0:
        row[PLACES + 6] = min(max(now - record.merchants_seen[place], 0.0), NEVER_S)
    country = np.uint32(event.merchant_country)
    row[PLACES + 7] = country != 0 and place_of(record.countries, country) < 0
    device = short_hash(event.device)
    row[PLACES + 8] = device != 0 and place_of(record.devices, device) < 0

    remember(record.merchants, record.merchants_seen, merchant, event.created)
    if country != 0:
        remember(record.countries, record.countries_seen, country, event.created)
    if device != 0:
        remember(record.devices, record.devices_seen, device, event.created)
    row[PLACES] = distinct_since(record.merchants, record.merchants_seen, now - 3600.0)
    row[PLACES + 1] = distinct_since(record.merchants, record.merchants_seen, now - DAY_S)
    row[PLACES + 2] = distinct_since(record.merchants, record.merchants_seen, now - 7 * DAY_S)
    row[PLACES + 3] = distinct_since(record.countries, record.countries_seen, now - 30 * DAY_S)
    row[PLACES + 4] = distinct_since(record.devices, record.devices_seen, now - 30 * DAY_S)


@compiled
def disputes(record: Any, now: float, row: Vector) -> None:
    """Write the card's latest disputes, as far as they had arrived by then."""
    fraud, other, since = 0, 0, NEVER_S
    for place in range(len(record.disputed_at)):
        ago = now - record.disputed_at[place]
        if record.dispute_kinds[place] == 0 or not 0.0 <= ago <= NEVER_S:
            continue
        if record.dispute_kinds[place] == FRAUD_DISPUTE:
            fraud += 1
            since = min(since, ago)
        else:
            other += 1
    row[DISPUTES] = fraud
    row[DISPUTES + 1] = other
    row[DISPUTES + 2] = since
