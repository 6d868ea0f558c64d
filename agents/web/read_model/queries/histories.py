"""The charges that share something: a card, a merchant, a device, an IP address, an e-mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import func, select

from agents.web.read_model.queries.cursors import OrderedBy, rows_of_page
from agents.web.read_model.queries.lines import ChargeLine, is_of_charge, line_of, select_lines
from agents.web.read_model.storing import storable
from agents.web.read_model.tables import charges, details

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

Shared = Literal["card", "merchant", "device", "ip", "email"]

_COUNTED_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some charges, the newest first, and the cursor of the page behind them, if there is one."""

    lines: tuple[ChargeLine, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the newest charges that share something.

    Attributes
    ----------
    charges
        How many they are; `is_all` is false where there are more than were counted.
    usd
        Their amounts in US dollars.
    first, last
        When the oldest and the newest was made, Unix seconds.
    by_given
        How many were given which action.
    disputed, found, cleared
        How many are disputed as fraud; found to be fraud by a review, and not disputed; found to be
        genuine by one.
    """

    charges: int
    is_all: bool
    usd: float
    first: float
    last: float
    by_given: dict[str, int]
    disputed: int
    found: int
    cleared: int


def history_page(
    connection: Connection, kind: Shared, value: str, after: str | None = None, limit: int = 50
) -> HistoryPage:
    """Return a page of the charges that share a value, the newest first.

    Raises
    ------
    CursorError
        When `after` is nothing that a page ended with.
    """
    query, time = _sharing(select_lines(), kind, value)
    order = (
        OrderedBy(time, float, is_descending=True),
        OrderedBy(charges.c.charge, str, is_descending=True),
        OrderedBy(charges.c.card, str, is_descending=True),
    )
    rows, next_page = rows_of_page(connection, query, order, after, limit)
    return HistoryPage(tuple(map(line_of, rows)), next_page)


def neighbours(
    connection: Connection, kind: Shared, value: str, around: float, each_side: int = 20
) -> tuple[ChargeLine, ...]:
    """Return the charges that share a value nearest to a time, the oldest first.

    Parameters
    ----------
    connection
        Of the read model.
    kind, value
        What they share.
    around
        The time, Unix seconds.
    each_side
        How many there are at the most before it (or at it), and as many after it.
    """
    query, time = _sharing(select_lines(), kind, value)
    order = time, charges.c.charge
    before = query.where(time <= around).order_by(*(column.desc() for column in order))
    behind_it = query.where(time > around).order_by(*order)
    earlier = connection.execute(before.limit(each_side)).mappings().all()
    later = connection.execute(behind_it.limit(each_side)).mappings().all()
    return tuple(line_of(row) for row in (*reversed(earlier), *later))


def totals(connection: Connection, kind: Shared, value: str) -> Totals | None:
    """Return sums over the newest 10,000 charges that share a value, `None` without any."""
    charge = charges.c
    columns = charge.created, charge.usd_cents, charge.given, charge.verdict, charge.is_disputed
    query, time = _sharing(select(*columns), kind, value)
    newest = query.order_by(time.desc()).limit(_COUNTED_MAX + 1).subquery()
    row = newest.c
    is_found = (row.verdict == "fraud") & row.is_disputed.is_(False)
    counted = (
        row.given, func.count(), func.sum(row.usd_cents), func.min(row.created),
        func.max(row.created), func.count().filter(row.is_disputed.is_(True)),
        func.count().filter(is_found), func.count().filter(row.verdict == "genuine"),
    )  # fmt: skip
    rows = connection.execute(select(*counted).group_by(row.given)).all()
    if not rows:
        return None
    given, counts, cents, firsts, lasts, disputed, found, cleared = zip(*rows, strict=True)
    return Totals(
        charges=sum(counts),
        is_all=sum(counts) <= _COUNTED_MAX,
        usd=int(sum(cents)) / 100.0,
        first=min(firsts),
        last=max(lasts),
        by_given=dict(zip(given, counts, strict=True)),
        disputed=sum(disputed),
        found=sum(found),
        cleared=sum(cleared),
    )


def _sharing(query: Select[Any], kind: Shared, value: str) -> tuple[Select[Any], Any]:
    """Return a query narrowed to charges that share a value, and the time that orders them.

    The time is that of the table whose index has them in order.
    """
    if kind in {"card", "merchant"}:
        return query.where(charges.c[kind] == storable(value)), charges.c.created
    return query.join(details, is_of_charge(details)).where(
        details.c[kind] == storable(value)
    ), details.c.created
