"""The card's features of outcomes: how many of its charges were declined and blocked of late.

What a worker blocks itself is not known where cards are counted: that a charge was blocked is told
by its outcome alone.
"""

from __future__ import annotations

from typing import Any

from streams.compiled import compiled
from streams.events.rows import BLOCK_KINDS, DECLINED
from streams.features.card_record import OUTCOME_WINDOWS
from streams.features.outcome_windows import (
    NAMES,
    TEXTS,
    add_outcome,
    clear_outcomes,
    outcomes_in_windows,
)
from streams.features.spec import Feature, first_column
from streams.features.windows import UINT8_MAX, Vector

_WINDOWS = tuple(zip(NAMES, TEXTS, strict=True))[:OUTCOME_WINDOWS]

OUTCOME_FEATURES = (
    *(
        Feature(f"card_declined_{name}", "card", "charges", "log1p", "0",
                "{value:.0f} charges on this card were declined in the last " + text)
        for name, text in _WINDOWS
    ),
    *(
        Feature(f"card_blocked_{name}", "card", "charges", "log1p", "0",
                "{value:.0f} charges on this card were blocked or canceled in the last " + text)
        for name, text in _WINDOWS
    ),
)  # fmt: skip

DECLINES = first_column(OUTCOME_FEATURES, [f"card_declined_{name}" for name, _ in _WINDOWS])
BLOCKS = first_column(OUTCOME_FEATURES, [f"card_blocked_{name}" for name, _ in _WINDOWS])


@compiled
def count_outcome(record: Any, event: Any) -> None:
    """Count an outcome that says that a charge was declined, or for the first time blocked."""
    is_block = event.kind in BLOCK_KINDS and event.labelled_at == 0.0
    if event.kind != DECLINED and not is_block:
        return
    before, clock = record.outcome_clock_s, max(record.outcome_clock_s, event.created)
    clear_outcomes(record.declined, OUTCOME_WINDOWS, before, clock)
    clear_outcomes(record.blocked, OUTCOME_WINDOWS, before, clock)
    record.outcome_clock_s = clock
    rings = record.blocked if is_block else record.declined
    add_outcome(rings, OUTCOME_WINDOWS, clock, event.created, UINT8_MAX)


@compiled
def outcomes(record: Any, created: float, row: Vector) -> None:
    """Write how many charges were declined and blocked in the windows that end at a time."""
    clock = record.outcome_clock_s
    outcomes_in_windows(record.declined, OUTCOME_WINDOWS, clock, created, row[DECLINES:])
    outcomes_in_windows(record.blocked, OUTCOME_WINDOWS, clock, created, row[BLOCKS:])
