"""The card's features: how a charge compares with what its card did before."""

from __future__ import annotations

from math import ceil, log, log1p, sqrt
from typing import Any

import numpy as np

from streams.compiled import compiled
from streams.events.rows import (
    CHARGE,
    CHECK,
    DISPUTE_WON,
    FRAUD_DISPUTE,
    FRAUD_KINDS,
    OTHER_DISPUTE,
    Rows,
)
from streams.features.card_habits import HABIT_FEATURES, habits
from streams.features.card_outcomes import OUTCOME_FEATURES, count_outcome, outcomes
from streams.features.card_places import NEVER_S, PLACE_FEATURES, places
from streams.features.card_record import CARD, DAY, LATEST_CHARGES, SEVEN_DAYS
from streams.features.deduplication import EVICTED, is_duplicate, remember_id, was_evicted
from streams.features.recent_keys import whole_seconds
from streams.features.spec import Feature, column, first_column
from streams.features.windows import (
    WINDOWS,
    Vector,
    add_to_maxima,
    advance_maxima,
    count_in_ring,
    count_in_windows,
    first_time,
    largest_in_window,
    total_names,
)

__all__ = ["CARD_FEATURES", "EVICTED", "update_cards"]

ZSCORE_LIMIT = 10.0
"""Bound of a z-score: beyond it, more is not more unusual."""

LN_2 = log(2.0)

RECENT_WEIGHT = 0.1
"""Weight of the newest charge in the exponentially weighted mean: about the last 20 count."""

CHECK_FAIL = CHECK["fail"]


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
    _feature("failed_checks_24h", "charges", "log1p", "0",
             "{value:.0f} charges on this card failed a check (CVC or postal code) in the last "
             "24 hours"),
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
_DISPUTES = (
    _feature("fraud_disputes", "disputes", "log1p", "0",
             "{value:.0f} charges on this card disputed or found to be fraud in the last 90 days"),
    _feature("other_disputes", "disputes", "log1p", "0",
             "{value:.0f} other disputes on this card in the last 90 days"),
    _feature("since_fraud_dispute", "s", "log1p", "90 days",
             "{value:.0f} s since a charge on this card was last found to be fraud"),
)  # fmt: skip

CARD_FEATURES = (
    *_VELOCITY,
    *_HISTORY,
    *_AMOUNT,
    *PLACE_FEATURES,
    *HABIT_FEATURES,
    *_DISPUTES,
    *OUTCOME_FEATURES,
)

assert first_column(CARD_FEATURES, total_names("card")) == 0  # where `count_in_windows` writes
COUNT_24H = column(CARD_FEATURES, "card_count_24h")
COUNT_30D = column(CARD_FEATURES, "card_count_30d")
PACE_24H = column(CARD_FEATURES, "card_pace_24h")
FAILED_CHECKS_24H = column(CARD_FEATURES, "card_failed_checks_24h")
CHARGES_BEFORE = column(CARD_FEATURES, "card_charges_before")
AGE = column(CARD_FEATURES, "card_age")
SINCE_PREVIOUS = column(CARD_FEATURES, "card_since_previous")
AMOUNT_LOG_RATIO = column(CARD_FEATURES, "card_amount_log_ratio")
AMOUNT_OVER_2X = column(CARD_FEATURES, "card_amount_over_2x")
AMOUNT_OVER_4X = column(CARD_FEATURES, "card_amount_over_4x")
AMOUNT_ZSCORE = column(CARD_FEATURES, "card_amount_zscore")
AMOUNT_RECENT_LOG_RATIO = column(CARD_FEATURES, "card_amount_recent_log_ratio")
AMOUNT_LARGEST_LOG_RATIO = column(CARD_FEATURES, "card_amount_largest_log_ratio")
DEVIATION_7D = column(CARD_FEATURES, "card_deviation_7d")
DEVIATION_AGAIN = column(CARD_FEATURES, "card_deviation_again")
FRAUD_DISPUTES = column(CARD_FEATURES, "card_fraud_disputes")
OTHER_DISPUTES = column(CARD_FEATURES, "card_other_disputes")
SINCE_FRAUD_DISPUTE = column(CARD_FEATURES, "card_since_fraud_dispute")
AMOUNTS = first_column(CARD_FEATURES, [feature.name for feature in _AMOUNT])
AMOUNTS_END = AMOUNTS + len(_AMOUNT)
PLACES = first_column(CARD_FEATURES, [feature.name for feature in PLACE_FEATURES])
HABITS = first_column(CARD_FEATURES, [feature.name for feature in HABIT_FEATURES])
OUTCOMES = first_column(CARD_FEATURES, [feature.name for feature in OUTCOME_FEATURES])


@compiled
def update_cards(
    records: Rows,
    slots: Any,
    events: Rows,
    out: Any,
    seen_until: Any,
    dedup_window_s: float,
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
    out
        f4[N, len(CARD_FEATURES)], written. A duplicate gets what it would have had as a new charge;
        a dispute gets zeros.
    seen_until
        f8[N], up to which clock of its card an event is a duplicate by what the caller knows, Unix
        seconds, infinite for a duplicate dispute; -inf for what is new to it.
    dedup_window_s
        How far apart the times of two charges of one id may be for the second to be a duplicate,
        and, but for `AHEAD_S` more, how far the card's clock may have moved since the first came.
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
                count_label(record, event)
                count_outcome(record, event)
        elif (
            seen_until[i] >= max(record.clock_s, event.created)
            or is_duplicate(record, event, dedup_window_s)
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
def count_label(record: Any, event: Any) -> None:
    """Count what a dispute or outcome says of a charge; a fraud counts once for its charge."""
    if event.kind == OTHER_DISPUTE:
        remember_dispute(record, event.created, OTHER_DISPUTE)
    elif event.kind == DISPUTE_WON:
        forget_dispute(record, event.labelled_at)
    elif event.kind in FRAUD_KINDS and event.labelled_at == 0.0:
        remember_dispute(record, event.created, FRAUD_DISPUTE)


@compiled
def remember_dispute(record: Any, created: float, kind: int) -> None:
    """Put a dispute first among the latest; the one that arrived longest ago is forgotten."""
    for place in range(len(record.disputed_at) - 1, 0, -1):
        record.disputed_at[place] = record.disputed_at[place - 1]
        record.dispute_kinds[place] = record.dispute_kinds[place - 1]
    record.disputed_at[0] = whole_seconds(ceil(created))
    record.dispute_kinds[0] = kind


@compiled
def forget_dispute(record: Any, created: float) -> None:
    """Forget the fraud dispute that was made at a time, if it is among the latest."""
    for place in range(len(record.disputed_at)):
        is_it = record.disputed_at[place] == whole_seconds(ceil(created))
        if is_it and record.dispute_kinds[place] == FRAUD_DISPUTE:
            record.dispute_kinds[place] = 0
            return


@compiled
def count_charge(record: Any, event: Any, row: Vector) -> None:
    """Update a card's record with a charge and write the charge's features."""
    created, clock = event.created, max(record.clock_s, event.created)
    advance_maxima(record.deviations_7d, SEVEN_DAYS, record.clock_s, clock)
    velocity(record, event, clock, row)
    failed_checks(record, event, clock, row)
    history(record, created, row)
    amount_against_history(record, event, clock, row)
    habits(record, event, row[HABITS:])
    places(record, event, row[PLACES:])
    disputes(record, created, row)
    outcomes(record, created, row[OUTCOMES:])
    add_to_maxima(record.deviations_7d, SEVEN_DAYS, clock, created, row[AMOUNT_LOG_RATIO])
    learn_amount(record, event.amount)
    record.first_s = first_time(record.charges, record.first_s, clock, created)
    record.clock_s = clock
    record.charges += 1


@compiled
def velocity(record: Any, event: Any, clock: float, row: Vector) -> None:
    """Count in the windows; write counts and sums, itself included, and the pace of the day."""
    count_in_windows(
        record.counts, record.sums, record.clock_s, clock, event.created, event.amount, row
    )
    row[PACE_24H] = 30.0 * row[COUNT_24H] / max(row[COUNT_30D], 1.0)


@compiled
def failed_checks(record: Any, event: Any, clock: float, row: Vector) -> None:
    """Write how many charges of the last 24 hours failed a check, itself included."""
    failed = CHECK_FAIL in (event.cvc_check, event.postal_check)
    row[FAILED_CHECKS_24H] = count_in_ring(
        record.failed_checks_24h, DAY, record.clock_s, clock, event.created, failed
    )


@compiled
def history(record: Any, created: float, row: Vector) -> None:
    """Write how long and how well the card is known."""
    known = record.charges > 0
    row[CHARGES_BEFORE] = record.charges
    row[AGE] = max(created - record.first_s, 0.0) if known else 0.0
    previous = previous_time(record, created)
    row[SINCE_PREVIOUS] = min(created - previous, NEVER_S) if known else NEVER_S


@compiled
def previous_time(record: Any, created: float) -> float:
    """Give the time of the card's latest charge that is not after a time, -inf if there is none.

    Exact if that is one of the last seven to arrive, as only eight are remembered, of which this
    charge may be one already; else that of the first.
    """
    if record.clock_s <= created:
        return float(record.clock_s)
    previous = record.first_s if record.first_s <= created else -np.inf
    charges = int(record.charges)
    for number in range(max(charges - LATEST_CHARGES + 1, 0), charges):
        time = record.charge_created[number % LATEST_CHARGES]
        if previous < time <= created:
            previous = time
    return float(previous)


@compiled
def amount_against_history(record: Any, event: Any, clock: float, row: Vector) -> None:
    """Write how the amount compares with the card's earlier ones.

    The standard deviation has a floor, a unit and a tenth of the mean, so that a card that always
    paid the same is not infinitely surprised.
    """
    row[AMOUNTS:AMOUNTS_END] = 0.0
    if record.charges == 0:
        return
    amount, mean = event.amount, record.amount_mean
    size = log1p(amount)
    ratio = size - log1p(mean)
    deviation = sqrt(record.amount_m2 / record.charges) + 1.0 + 0.1 * mean
    zscore = (amount - mean) / deviation
    before = largest_in_window(record.deviations_7d, SEVEN_DAYS, clock, event.created)
    row[AMOUNT_LOG_RATIO] = ratio
    row[AMOUNT_OVER_2X] = max(ratio - LN_2, 0.0)
    row[AMOUNT_OVER_4X] = max(ratio - 2.0 * LN_2, 0.0)
    row[AMOUNT_ZSCORE] = min(max(zscore, -ZSCORE_LIMIT), ZSCORE_LIMIT)
    row[AMOUNT_RECENT_LOG_RATIO] = size - record.recent_mean
    row[AMOUNT_LARGEST_LOG_RATIO] = size - log1p(record.largest)
    row[DEVIATION_7D] = before
    row[DEVIATION_AGAIN] = before * max(ratio, 0.0)


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
def disputes(record: Any, created: float, row: Vector) -> None:
    """Write the card's latest disputes, as far as they had arrived by the time of the charge."""
    fraud, other, since = 0, 0, NEVER_S
    for place in range(len(record.disputed_at)):
        ago = created - record.disputed_at[place]
        if record.dispute_kinds[place] == 0 or not 0.0 <= ago <= NEVER_S:
            continue
        if record.dispute_kinds[place] == FRAUD_DISPUTE:
            fraud += 1
            since = min(since, ago)
        else:
            other += 1
    row[FRAUD_DISPUTES] = fraud
    row[OTHER_DISPUTES] = other
    row[SINCE_FRAUD_DISPUTE] = since
