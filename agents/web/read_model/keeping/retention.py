"""What is too old to be kept, deleted in small steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import Table, delete, func, select, tuple_

from agents.web.read_model.tables import (
    charges,
    claims,
    daily,
    details,
    disputes,
    latencies,
    notes,
    outcomes,
    rejected,
)
from streams.durations import DAY_S

if TYPE_CHECKING:
    from sqlalchemy import Connection

ROWS_A_STEP: Final = 20_000
"""As many as a batch may bring, so that deleting keeps up."""

_TIMED: Final = (charges, details, disputes, outcomes, claims, notes, rejected)


def cutoff(connection: Connection, retention_days: float) -> float:
    """Return the time before which nothing is kept: a day's beginning, Unix seconds.

    It follows the newest charge, and not the clock: what is replayed is kept as it was.
    """
    newest: float | None = connection.scalar(select(func.max(charges.c.created)))
    if newest is None:
        return 0.0
    return max(0.0, (newest - retention_days * DAY_S) // DAY_S * DAY_S)


def delete_some(connection: Connection, retention_days: float) -> bool:
    """Delete some of what is too old; return whether there may be more of it."""
    before = cutoff(connection, retention_days)
    for by_day in (daily, latencies):
        connection.execute(delete(by_day).where(by_day.c.day < int(before // DAY_S)))
    are_left = [_delete_from(connection, table, before) for table in _TIMED]
    return any(are_left)


def _delete_from(connection: Connection, table: Table, before: float) -> bool:
    key = tuple(table.primary_key)
    oldest = select(*key).where(table.c.created < before).order_by(table.c.created)
    some = delete(table).where(tuple_(*key).in_(oldest.limit(ROWS_A_STEP)))
    return connection.execute(some).rowcount >= ROWS_A_STEP
