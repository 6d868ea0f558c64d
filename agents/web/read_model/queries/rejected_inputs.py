"""Inputs that could not be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from agents.web.read_model.queries.cursors import OrderedBy, rows_of_page
from agents.web.read_model.tables import rejected

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class RejectedInput:
    """One input, its card numbers masked.

    Attributes
    ----------
    partition, place
        Where its copy is on the topic of rejected inputs.
    created
        When it was put there, Unix seconds.
    reason, error
        Why: what inputs of one reason have in common, and in full.
    topic, source_partition, source_offset
        Where it came from.
    key, payload
        As they came. Of a long payload only the beginning is here: `payload_bytes` is its length.
    """

    partition: int
    place: int
    created: float
    reason: str
    error: str
    topic: str
    source_partition: int
    source_offset: int
    key: bytes | None
    payload: bytes | None
    payload_bytes: int

    @property
    def is_whole(self) -> bool:
        """Whether all of the payload is here."""
        return len(self.payload or b"") == self.payload_bytes


@dataclass(frozen=True, slots=True)
class RejectedPage:
    """Some inputs, the newest first, and the cursor of the page behind them, if there is one."""

    inputs: tuple[RejectedInput, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many inputs there are of a reason, and when the latest was put there."""

    reason: str
    count: int
    latest: float


def count_by_reason(connection: Connection) -> tuple[ReasonCount, ...]:
    """Return how many inputs there are of each reason, the most frequent first."""
    count = func.count().label("count")
    query = select(rejected.c.reason, count, func.max(rejected.c.created))
    query = query.group_by(rejected.c.reason).order_by(count.desc(), rejected.c.reason)
    return tuple(ReasonCount(*row) for row in connection.execute(query))


def rejected_page(
    connection: Connection, reason: str | None = None, after: str | None = None, limit: int = 50
) -> RejectedPage:
    """Return a page of inputs, of one reason or of all, the newest first.

    Raises
    ------
    CursorError
        When `after` is nothing that a page ended with.
    """
    order = (
        OrderedBy(rejected.c.created, float, is_descending=True),
        OrderedBy(rejected.c.partition, int, is_descending=True),
        OrderedBy(rejected.c.place, int, is_descending=True),
    )
    query = select(rejected)
    if reason is not None:
        query = query.where(rejected.c.reason == reason)
    rows, next_page = rows_of_page(connection, query, order, after, limit)
    return RejectedPage(tuple(map(_input_of, rows)), next_page)


def rejected_input(connection: Connection, partition: int, place: int) -> RejectedInput | None:
    """Return the input at a place of the topic, `None` where there is none."""
    here = rejected.c.partition == partition, rejected.c.place == place
    row = connection.execute(select(rejected).where(*here)).mappings().first()
    return None if row is None else _input_of(row)


def _input_of(row: Any) -> RejectedInput:
    return RejectedInput(**row)
