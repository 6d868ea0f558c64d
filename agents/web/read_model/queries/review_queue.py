"""The queue of charges that wait for a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import func, select

from agents.web.read_model.queries.cursors import OrderedBy, rows_of_page
from agents.web.read_model.queries.lines import CLAIMED, ChargeLine, line_of, select_lines
from agents.web.read_model.tables import IS_WAITING, charges, claims

if TYPE_CHECKING:
    from sqlalchemy import Connection

Sort = Literal["oldest", "newest", "risk", "amount"]


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """Which of the waiting charges are wanted; `None` for all.

    Attributes
    ----------
    merchant
        Of this merchant.
    risk_min
        Of at least this risk.
    usd_min
        Of at least this amount in US dollars.
    created_min, created_max
        Made at this time or later, or earlier, Unix seconds.
    free_for, now
        Only those that nobody but this analyst has a claim on, at this time.
    """

    merchant: str | None = None
    risk_min: int | None = None
    usd_min: float | None = None
    created_min: float | None = None
    created_max: float | None = None
    free_for: str | None = None
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class QueuePage:
    """Some charges of the queue, and the cursor of the page behind them, if there is one."""

    lines: tuple[ChargeLine, ...]
    next: str | None


_FIRST: Final[dict[Sort, OrderedBy]] = {
    "oldest": OrderedBy(charges.c.created, float),
    "newest": OrderedBy(charges.c.created, float, is_descending=True),
    "risk": OrderedBy(charges.c.risk, int, is_descending=True),
    "amount": OrderedBy(charges.c.usd_cents, int, is_descending=True),
}


def queue_page(
    connection: Connection,
    wanted: QueueFilter,
    sort: Sort = "oldest",
    after: str | None = None,
    limit: int = 50,
) -> QueuePage:
    """Return a page of the queue.

    Parameters
    ----------
    connection
        Of the read model.
    wanted
        Which charges.
    sort
        Their order; those that are alike in it come by their ids.
    after
        `next` of the page before; the first page when `None`.
    limit
        How many at the most.

    Raises
    ------
    CursorError
        When `after` is nothing that a page of this order ended with.
    """
    order = _FIRST[sort], OrderedBy(charges.c.charge, str), OrderedBy(charges.c.card, str)
    query = select_lines().where(*_conditions(wanted))
    rows, next_page = rows_of_page(connection, query, order, after, limit)
    return QueuePage(tuple(map(line_of, rows)), next_page)


def count_queue(connection: Connection, wanted: QueueFilter) -> int:
    """Return how many charges of the queue are wanted."""
    source = charges if wanted.free_for is None else CLAIMED
    query = select(func.count()).select_from(source).where(*_conditions(wanted))
    return int(connection.scalar(query) or 0)


def _conditions(wanted: QueueFilter) -> list[Any]:
    charge = charges.c
    conditions: list[Any] = [IS_WAITING]
    if wanted.merchant is not None:
        conditions.append(charge.merchant == wanted.merchant)
    if wanted.risk_min is not None:
        conditions.append(charge.risk >= wanted.risk_min)
    if wanted.usd_min is not None:
        conditions.append(charge.usd_cents >= wanted.usd_min * 100.0)
    if wanted.created_min is not None:
        conditions.append(charge.created >= wanted.created_min)
    if wanted.created_max is not None:
        conditions.append(charge.created <= wanted.created_max)
    if wanted.free_for is not None:
        is_mine = claims.c.by == wanted.free_for
        conditions.append(claims.c.by.is_(None) | is_mine | (claims.c.until <= wanted.now))
    return conditions
