"""The queue of charges that wait for a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import func, select

from agents.web.read_model.queries.cursors import behind, cursor_of, place_in
from agents.web.read_model.queries.lines import ChargeLine, line_of, select_lines
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
    risk_min, risk_max
        Of at least, at most this risk.
    usd_min, usd_max
        Of at least, at most this amount in US dollars.
    created_min, created_max
        Made at this time or later, or earlier, Unix seconds.
    free_for, now
        Only those that nobody but this analyst has a claim on, at this time.
    """

    merchant: str | None = None
    risk_min: int | None = None
    risk_max: int | None = None
    usd_min: float | None = None
    usd_max: float | None = None
    created_min: float | None = None
    created_max: float | None = None
    free_for: str | None = None
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class QueuePage:
    """Some charges of the queue, and the cursor of the page behind them, if there is one."""

    lines: tuple[ChargeLine, ...]
    next: str | None


_KIND: Final[dict[Sort, tuple[Any, type, bool]]] = {
    "oldest": (charges.c.created, float, False),
    "newest": (charges.c.created, float, True),
    "risk": (charges.c.risk, int, True),
    "amount": (charges.c.usd_cents, int, True),
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
    column, kind, is_down = _KIND[sort]
    order = (column, charges.c.charge, charges.c.card)
    query = select_lines().where(*_conditions(wanted))
    if after is not None:
        place = place_in(after, kind, str, str)
        query = query.where(behind(order, place, (is_down, False, False)))
    query = query.order_by(column.desc() if is_down else column, *order[1:]).limit(limit + 1)
    rows = connection.execute(query).mappings().all()
    lines = tuple(map(line_of, rows[:limit]))
    if len(rows) <= limit:
        return QueuePage(lines, None)
    last = rows[limit - 1]
    return QueuePage(lines, cursor_of(last[column.name], last["charge"], last["card"]))


def count_queue(connection: Connection, wanted: QueueFilter) -> int:
    """Return how many charges of the queue are wanted."""
    source = charges
    if wanted.free_for is not None:
        source = _with_claims()
    query = select(func.count()).select_from(source).where(*_conditions(wanted))
    return int(connection.scalar(query) or 0)


def _with_claims() -> Any:
    here = (claims.c.charge == charges.c.charge) & (claims.c.card == charges.c.card)
    return charges.outerjoin(claims, here)


def _conditions(wanted: QueueFilter) -> list[Any]:
    charge = charges.c
    bounds = (
        (charge.risk, wanted.risk_min, wanted.risk_max),
        (charge.usd_cents, _cents(wanted.usd_min), _cents(wanted.usd_max)),
        (charge.created, wanted.created_min, wanted.created_max),
    )
    conditions: list[Any] = [IS_WAITING]
    if wanted.merchant is not None:
        conditions.append(charge.merchant == wanted.merchant)
    for column, least, most in bounds:
        if least is not None:
            conditions.append(column >= least)
        if most is not None:
            conditions.append(column <= most)
    if wanted.free_for is not None:
        is_mine = claims.c.by == wanted.free_for
        conditions.append(claims.c.by.is_(None) | is_mine | (claims.c.until <= wanted.now))
    return conditions


def _cents(usd: float | None) -> float | None:
    return None if usd is None else usd * 100.0
