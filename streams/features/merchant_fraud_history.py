"""What a merchant's labels say: disputes by their own day, and frauds by the day of their charge.

Two views of the same disputes, both in rings of UTC days::

                 time - horizon                       time of the charge
    day       |  1  |  2  |  3  |  4  |  5  |  6  |  7  |
    charges   |  c  |  c  |  c  |  c  |  c  |  c  |  c  |   by the charge's day
    frauds    |  f  |     |  f  |     |  f  |     |     |   known by now, by the *charge's* day
    genuine   |     |     |  g  |     |     |  g  |     |   likewise, told by an outcome
    disputes  |     |     |     |  d  |  d  |     |  d  |   by the dispute's own day
              |- matured -|----------- young -----------|
               all labelled     labelled if disputed

The share of disputed charges divides the disputes of a window by its charges: smooth, and late. The
run of the latest labels walks back over the charges' days until enough are labelled: it sees a
merchant turn bad as soon as its first disputes are in. Both look back from the charge's own day:
what the record has of later days, by a clock that is ahead, is left out.

What is stopped is never disputed. A failed challenge and a verdict of fraud therefore count as a
dispute does, once for each charge; a passed challenge and a verdict of genuine make their charge a
good label at once. How much of late was stopped is a feature by itself: it tells a merchant whose
disputes have ended because its frauds are stopped from one that is clean again.
"""

from __future__ import annotations

from typing import Any

from schemas.scored import ALLOW, BLOCK
from streams.compiled import compiled
from streams.durations import DAY_S
from streams.events.rows import (
    DISPUTE_WON,
    FRAUD_KINDS,
    GENUINE_KINDS,
    OTHER_DISPUTE,
    Rows,
)
from streams.features.merchant_outcomes import count_blocked
from streams.features.merchant_record import DAYS, STOP_DAYS
from streams.features.spec import Feature, column, first_column
from streams.features.windows import (
    UINT16_MAX,
    UINT32_MAX,
    Vector,
    clear_passed,
    tile_of,
    tiles_left,
)

SHARE_DAYS = (7, 30, 90)
LATEST = (1, 3, 5, 10)
MATURED = (5, 20)
STOPPED_DAYS = (7, 30)

PRIOR_SHARE = 0.004
"""Share of fraud disputes that a merchant without history is taken to have."""

PRIOR_CHARGES = 5.0
"""How many charges that assumption weighs."""

YOUNG_LABEL = 0.05
"""How much of a good label an undisputed charge younger than the horizon is: little, as its dispute
may still come, and more than nothing, as else a busy merchant's latest labels were all frauds."""

RUN_GAP_DAYS = 7
"""Days between frauds of one run at most."""

NEVER_DAYS = 91.0

_FIRST_SHARE = f"{PRIOR_SHARE * PRIOR_CHARGES / (PRIOR_CHARGES + 1):.2g} (prior and itself)"


def _feature(name: str, unit: str, transform: Any, missing: str, text: str) -> Feature:
    return Feature(f"merchant_{name}", "merchant", unit, transform, missing, text)


LABEL_FEATURES = (
    *(
        _feature(f"dispute_share_{days}d", "share", "none", _FIRST_SHARE,
                 "{value:.1%} of the merchant's charges found to be fraud in the last "
                 f"{days} days")
        for days in SHARE_DAYS
    ),
    _feature("other_dispute_share_90d", "share", "none", _FIRST_SHARE,
             "{value:.1%} of the merchant's charges disputed for other reasons in 90 days"),
    _feature("since_fraud_dispute", "days", "log1p", "91",
             "a charge at the merchant was last found to be fraud {value:.0f} days ago"),
    *(
        _feature(f"fraud_share_last_{n}", "share", "none", "0",
                 "{value:.0%} fraud among the merchant's last " + str(n) + " labelled charges")
        for n in LATEST
    ),
    *(
        _feature(f"fraud_share_matured_{n}", "share", "none", "0",
                 "{value:.0%} fraud among the merchant's last " + str(n)
                 + " charges past the label horizon")
        for n in MATURED
    ),
    *(
        _feature(f"stopped_share_{days}d", "share", "none", "0",
                 "{value:.0%} of the merchant's charges were challenged, reviewed or blocked in "
                 f"the {days} days before today")
        for days in STOPPED_DAYS
    ),
    _feature("fraud_recency", "1 / labels", "none", "0",
             "fraud is recent among the merchant's labels (1 if the latest, now {value:.2f})"),
    _feature("fraud_run", "days", "log1p", "0",
             "frauds at the merchant for {value:.0f} days, never more than a week apart"),
)  # fmt: skip

DISPUTE_SHARES = first_column(
    LABEL_FEATURES, [f"merchant_dispute_share_{days}d" for days in SHARE_DAYS]
)
OTHER_DISPUTE_SHARE_90D = column(LABEL_FEATURES, "merchant_other_dispute_share_90d")
SINCE_FRAUD_DISPUTE = column(LABEL_FEATURES, "merchant_since_fraud_dispute")
LATEST_SHARES = first_column(LABEL_FEATURES, [f"merchant_fraud_share_last_{n}" for n in LATEST])
MATURED_SHARES = first_column(
    LABEL_FEATURES, [f"merchant_fraud_share_matured_{n}" for n in MATURED]
)
STOPPED_SHARES = first_column(
    LABEL_FEATURES, [f"merchant_stopped_share_{days}d" for days in STOPPED_DAYS]
)
FRAUD_RECENCY = column(LABEL_FEATURES, "merchant_fraud_recency")
FRAUD_RUN = column(LABEL_FEATURES, "merchant_fraud_run")


@compiled
def count_day(record: Any, clock: float, created: float) -> None:
    """Move the charges' days to `clock` and count a charge in its own day."""
    before, after = tile_of(record.clock_s, DAY_S), tile_of(clock, DAY_S)
    clear_passed(record.day_charges, 0, DAYS, before, after)
    clear_passed(record.day_frauds, 0, DAYS, before, after)
    clear_passed(record.day_genuine, 0, DAYS, before, after)
    day = tile_of(created, DAY_S)
    if after - day < DAYS:
        slot = day % DAYS
        record.day_charges[slot] = min(record.day_charges[slot] + 1, UINT32_MAX)


@compiled
def count_label(record: Any, event: Any, charge_created: float) -> None:
    """Count what a dispute or outcome says of a charge.

    A fraud counts in its own day and in that of its charge, once: a dispute that follows a verdict
    changes nothing more. A dispute that is won takes back what it had counted.
    """
    kind = event.kind
    if kind in GENUINE_KINDS:
        add_to_charges_day(record, record.day_genuine, charge_created, 1)
    elif kind == DISPUTE_WON:
        if event.labelled_at > 0.0:
            add_to_own_day(record, record.day_fraud_disputes, event.labelled_at, -1)
            add_to_charges_day(record, record.day_frauds, charge_created, -1)
    elif kind == OTHER_DISPUTE:
        add_to_own_day(record, record.day_other_disputes, event.created, 1)
    elif kind in FRAUD_KINDS and event.labelled_at == 0.0:
        add_to_own_day(record, record.day_fraud_disputes, event.created, 1)
        add_to_charges_day(record, record.day_frauds, charge_created, 1)


@compiled
def add_to_own_day(record: Any, ring: Any, created: float, count: int) -> None:
    """Add to the day of a dispute or what counts as one."""
    now = max(record.dispute_clock_s, created)
    before, after = tile_of(record.dispute_clock_s, DAY_S), tile_of(now, DAY_S)
    clear_passed(record.day_fraud_disputes, 0, DAYS, before, after)
    clear_passed(record.day_other_disputes, 0, DAYS, before, after)
    record.dispute_clock_s = now
    day = tile_of(created, DAY_S)
    if after - day < DAYS:
        ring[day % DAYS] = min(max(ring[day % DAYS] + count, 0), UINT16_MAX)


@compiled
def add_to_charges_day(record: Any, ring: Any, charge_created: float, count: int) -> None:
    """Add to the day of a charge, if that is known."""
    if charge_created <= record.clock_s:  # NaN is not
        day = tile_of(charge_created, DAY_S)
        if tile_of(record.clock_s, DAY_S) - day < DAYS:
            ring[day % DAYS] = min(max(ring[day % DAYS] + count, 0), UINT16_MAX)


@compiled
def count_stopped(records: Rows, slots: Any, actions: Any, times: Any) -> None:
    """Count charges that were challenged, reviewed or blocked, on the day of stream time.

    Those that were blocked count in its hour as well.

    Parameters
    ----------
    records, slots
        MERCHANT[M], updated in place, and i8[N], the record of each charge.
    actions
        u1[N], indexes into `ACTIONS`; `ALLOW` for what does not count.
    times
        f8[N], stream time at each charge, Unix seconds.
    """
    for i in range(len(slots)):
        if actions[i] != ALLOW:
            record = records[slots[i]]
            count_blocked(record, times[i], actions[i] == BLOCK)
            before, today = tile_of(record.stop_clock_s, DAY_S), tile_of(times[i], DAY_S)
            clear_passed(record.day_stopped, 0, STOP_DAYS, before, today)
            record.stop_clock_s = times[i]
            slot = today % STOP_DAYS
            record.day_stopped[slot] = min(record.day_stopped[slot] + 1, UINT16_MAX)


@compiled
def stopped_shares(record: Any, clock: float, created: float, now: float, row: Vector) -> None:
    """Write what share of the charges was stopped, on the days before that of stream time.

    What is stopped today counts from tomorrow on: then it is known, however charges are cut into
    batches, while today's actions are chosen a batch at a time.
    """
    today, newest = tile_of(created, DAY_S), tile_of(record.stop_clock_s, DAY_S)
    left = tiles_left(tile_of(clock, DAY_S), today, DAYS, DAYS)
    day_now = tile_of(now, DAY_S)
    charges, stopped, share = 0.0, 0.0, 0
    for ago in range(STOPPED_DAYS[-1] + 1):
        if ago < left:
            charges += record.day_charges[(today - ago) % DAYS]
        if ago > 0 and newest - STOP_DAYS < day_now - ago <= newest:
            stopped += record.day_stopped[(day_now - ago) % STOP_DAYS]
        if ago == STOPPED_DAYS[share]:
            row[STOPPED_SHARES + share] = min(stopped / max(charges, 1.0), 1.0)
            share += 1


@compiled
def smoothed(disputes: float, charges: float) -> float:
    """Give the share of disputed charges, drawn towards the prior while charges are few."""
    share = (disputes + PRIOR_SHARE * PRIOR_CHARGES) / (charges + PRIOR_CHARGES)
    return min(share, 1.0)


@compiled
def dispute_shares(record: Any, clock: float, created: float, row: Vector) -> None:
    """Write the smoothed shares of 7, 30 and 90 days, and the days since the last fraud dispute."""
    today, newest = tile_of(created, DAY_S), tile_of(record.dispute_clock_s, DAY_S)
    left = tiles_left(tile_of(clock, DAY_S), today, DAYS, DAYS)
    charges, frauds, others, share = 0.0, 0.0, 0.0, 0
    row[SINCE_FRAUD_DISPUTE] = NEVER_DAYS
    slot = today % DAYS
    for ago in range(SHARE_DAYS[-1] + 1):
        if ago < left:
            charges += record.day_charges[slot]
        if newest - DAYS < today - ago <= newest:
            if frauds == 0.0 and record.day_fraud_disputes[slot] > 0:
                row[SINCE_FRAUD_DISPUTE] = ago
            frauds += record.day_fraud_disputes[slot]
            others += record.day_other_disputes[slot]
        if ago == SHARE_DAYS[share]:
            row[DISPUTE_SHARES + share] = smoothed(frauds, max(charges, 1.0))
            share += 1
        slot = slot - 1 if slot > 0 else DAYS - 1
    row[OTHER_DISPUTE_SHARE_90D] = smoothed(others, max(charges, 1.0))


@compiled
def latest_labels(record: Any, clock: float, created: float, horizon_s: float, row: Vector) -> None:
    """Write the share of fraud among the latest labels, and how recent the last fraud is in them.

    Labels are taken by whole days of charges, newest first, until there are enough. The run of
    frauds is the newest days that have some, up to the first gap.
    """
    today = tile_of(created, DAY_S)
    labels, frauds, latest = 0.0, 0.0, 0
    matured, matured_frauds, old = 0.0, 0.0, 0
    row[FRAUD_RECENCY] = 0.0
    run_began = -1
    slot = today % DAYS
    for ago in range(tiles_left(tile_of(clock, DAY_S), today, DAYS, DAYS)):
        known = float(record.day_frauds[slot])
        good = max(record.day_charges[slot] - known, 0.0)
        told = min(float(record.day_genuine[slot]), good)
        if (today - ago + 1) * DAY_S <= created - horizon_s:
            matured += known + good
            matured_frauds += known
        else:
            good = told + (good - told) * YOUNG_LABEL
        if frauds == 0.0 and known > 0.0:
            row[FRAUD_RECENCY] = 1.0 / (1.0 + labels)
        if known > 0.0 and (run_began < 0 or ago - run_began <= RUN_GAP_DAYS):
            run_began = ago
        labels += known + good
        frauds += known
        while latest < len(LATEST) and labels >= LATEST[latest]:
            row[LATEST_SHARES + latest] = frauds / labels
            latest += 1
        while old < len(MATURED) and matured >= MATURED[old]:
            row[MATURED_SHARES + old] = matured_frauds / matured
            old += 1
        slot = slot - 1 if slot > 0 else DAYS - 1
    row[FRAUD_RUN] = run_began + 1
    for left in range(latest, len(LATEST)):
        row[LATEST_SHARES + left] = frauds / max(labels, 1.0)
    for left in range(old, len(MATURED)):
        row[MATURED_SHARES + left] = matured_frauds / max(matured, 1.0)
