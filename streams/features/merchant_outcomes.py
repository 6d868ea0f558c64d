"""How many of the merchant's charges were declined, and blocked, of late.

What was declined is told by outcomes. What was blocked is what the worker blocked itself, so that
no outcome is needed. The actions of a batch are chosen together, so the hour of stream time that is
running is left out: the count must not depend on how charges are cut into batches.
"""

from __future__ import annotations

from typing import Any

from streams.compiled import compiled
from streams.durations import HOUR_S
from streams.events.rows import DECLINED
from streams.features.merchant_record import BLOCK_HOURS, OUTCOME_WINDOWS
from streams.features.outcome_windows import (
    NAMES,
    TEXTS,
    add_outcome,
    clear_outcomes,
    outcomes_in_windows,
)
from streams.features.spec import Feature, column, first_column
from streams.features.windows import UINT16_MAX, Vector, clear_passed, tile_of

_WINDOWS = tuple(zip(NAMES, TEXTS, strict=True))[:OUTCOME_WINDOWS]

OUTCOME_FEATURES = (
    *(
        Feature(f"merchant_declined_{name}", "merchant", "charges", "log1p", "0",
                "{value:.0f} charges at this merchant were declined in the last " + text)
        for name, text in _WINDOWS
    ),
    Feature("merchant_blocked_24h", "merchant", "charges", "log1p", "0",
            "{value:.0f} charges at this merchant were blocked in the last 24 whole hours"),
)  # fmt: skip

DECLINES = first_column(OUTCOME_FEATURES, [f"merchant_declined_{name}" for name, _ in _WINDOWS])
BLOCKED_24H = column(OUTCOME_FEATURES, "merchant_blocked_24h")


@compiled
def count_outcome(record: Any, event: Any) -> None:
    """Count an outcome that says that a charge was declined."""
    if event.kind == DECLINED:
        before, clock = record.outcome_clock_s, max(record.outcome_clock_s, event.created)
        clear_outcomes(record.declined, OUTCOME_WINDOWS, before, clock)
        record.outcome_clock_s = clock
        add_outcome(record.declined, OUTCOME_WINDOWS, clock, event.created, UINT16_MAX)


@compiled
def count_blocked(record: Any, now: float, is_blocked: bool) -> None:
    """Move the hours on to a stream time at which a charge is stopped; count it if blocked."""
    before, hour = tile_of(record.stop_clock_s, HOUR_S), tile_of(now, HOUR_S)
    clear_passed(record.hours_blocked, 0, BLOCK_HOURS, before, hour)
    if is_blocked and before - hour < BLOCK_HOURS:
        slot = hour % BLOCK_HOURS
        record.hours_blocked[slot] = min(record.hours_blocked[slot] + 1, UINT16_MAX)


@compiled
def outcomes(record: Any, created: float, now: float, row: Vector) -> None:
    """Write what was declined up to the time of a charge, and blocked before its hour."""
    clock = record.outcome_clock_s
    outcomes_in_windows(record.declined, OUTCOME_WINDOWS, clock, created, row[DECLINES:])
    row[BLOCKED_24H] = blocked_before(record, now)


@compiled
def blocked_before(record: Any, now: float) -> float:
    """Give how many charges were blocked in the 24 hours before the one of a time."""
    newest, this = tile_of(record.stop_clock_s, HOUR_S), tile_of(now, HOUR_S)
    blocked = 0.0
    for hour in range(max(this, newest) - BLOCK_HOURS + 1, min(this, newest + 1)):
        blocked += record.hours_blocked[hour % BLOCK_HOURS]
    return blocked
