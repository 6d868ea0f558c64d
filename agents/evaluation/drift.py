"""What was watched for drift, day by day, and what was found, as plain JSON values."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.drift.monitor import Finished


def drift_summary(finished: Sequence[Finished]) -> dict[str, Any]:
    """Return the values and the events.

    Returns
    -------
    ``days`` (a list, ISO dates on which blocks begin), ``signals`` (by name ``unit`` and
    ``values``, one a day, None where nothing is known), and ``events`` (a list, as on `drift`).
    """
    return {
        "days": [day_of(block.since) for block in finished],
        "signals": {
            signal.name: {
                "unit": signal.unit,
                "values": [_or_none(float(block.means[number])) for block in finished],
            }
            for number, signal in enumerate(finished[-1].quantities if finished else ())
        },
        "events": [
            msgspec.to_builtins(shift.event(0)) for block in finished for shift in block.shifts
        ],
    }


def day_of(time: float) -> str:
    """Return the date in UTC of Unix seconds.

    >>> day_of(1_767_225_600.0)
    '2026-01-01'
    """
    return datetime.fromtimestamp(time, UTC).date().isoformat()


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
