"""What happened, day by day: sums that are kept up to date with the charges."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, select

from agents.web.read_model.tables import ALL_MERCHANTS, IS_WAITING, charges, daily, rejected
from streams.durations import DAY_S

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class DaySums:
    """The charges of one day (UTC, by their event time) that were given one action.

    Attributes
    ----------
    day, given
        Which.
    charges, usd
        How many, and their amounts in US dollars.
    expected_frauds, expected_usd
        How many of them are frauds, and of how many US dollars, by their scores: of those that were
        blocked the only figure there is.
    disputed, disputed_usd
        Those that are disputed as fraud: missed.
    found, found_usd
        Those that a review found to be fraud, and that are not disputed: stopped.
    cleared
        Those that a review found to be genuine.
    """

    day: date
    given: str
    charges: int
    usd: float
    expected_frauds: float
    expected_usd: float
    disputed: int
    disputed_usd: float
    found: int
    found_usd: float
    cleared: int


@dataclass(frozen=True, slots=True)
class Overview:
    """What happened, and what waits.

    Attributes
    ----------
    days
        Sums by day and action, the oldest day first. A day without charges is not among them.
    waiting, waiting_usd, oldest_waiting
        Charges that wait for a verdict: how many, of how many US dollars, and when the oldest was
        made, Unix seconds; `None` where none waits.
    rejected
        Inputs that could not be used.
    """

    days: tuple[DaySums, ...]
    waiting: int
    waiting_usd: float
    oldest_waiting: float | None
    rejected: int


class Waiting(NamedTuple):
    """Charges that wait for a verdict; see `Overview`."""

    charges: int
    usd: float
    oldest: float | None


def waiting(connection: Connection) -> Waiting:
    """Return what waits for a verdict."""
    charge = charges.c
    sums = func.count(), func.coalesce(func.sum(charge.usd_cents), 0), func.min(charge.created)
    count, cents, oldest = connection.execute(select(*sums).where(IS_WAITING)).one()
    return Waiting(count, int(cents) / 100.0, oldest)


def overview(connection: Connection, since: float, until: float) -> Overview:
    """Return what happened on the days from one time until another, Unix seconds."""
    in_span = rejected.c.created >= since - since % DAY_S, rejected.c.created <= until
    count = connection.scalar(select(func.count()).select_from(rejected).where(*in_span))
    return Overview(
        day_sums(connection, ALL_MERCHANTS, since, until), *waiting(connection), count or 0,
    )  # fmt: skip


def day_sums(
    connection: Connection, merchant: str, since: float, until: float
) -> tuple[DaySums, ...]:
    """Return the sums of days of a merchant, or of `ALL_MERCHANTS`, from a time until another."""
    query = (
        select(daily)
        .where(daily.c.merchant == merchant)
        .where(daily.c.day.between(int(since // DAY_S), int(until // DAY_S)))
        .where(daily.c.charges > 0)
        .order_by(daily.c.day, daily.c.given)
    )
    return tuple(map(_sums_of, connection.execute(query)))


def _sums_of(row: Any) -> DaySums:
    return DaySums(
        day=datetime.fromtimestamp(row.day * DAY_S, UTC).date(),
        given=row.given,
        charges=row.charges,
        usd=row.usd_cents / 100.0,
        expected_frauds=row.expected_millionths / 1e6,
        expected_usd=row.expected_usd_cents / 100.0,
        disputed=row.disputed,
        disputed_usd=row.disputed_usd_cents / 100.0,
        found=row.found,
        found_usd=row.found_usd_cents / 100.0,
        cleared=row.cleared,
    )
