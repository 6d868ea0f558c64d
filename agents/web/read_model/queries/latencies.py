"""How long charges take to be scored: by day, and of late."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from sqlalchemy import select

from agents.web.read_model.latency import quantile_of, step_of
from agents.web.read_model.queries.lines import is_of_charge
from agents.web.read_model.tables import charges, details, latencies
from streams.durations import DAY_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

LATEST_MAX: Final = 1000
"""Charges that tell how it is now: the newest of some minutes."""


class Latency(NamedTuple):
    """How many charges took how long, seconds; see `agents.web.read_model.latency`."""

    charges: int
    median_s: float
    p99_s: float

    @classmethod
    def of(cls, counts: Mapping[int, int]) -> Self | None:
        """Return that of a histogram, `None` where it is empty."""
        median_s, p99_s = quantile_of(counts, 0.5), quantile_of(counts, 0.99)
        if median_s is None or p99_s is None:
            return None
        return cls(sum(counts.values()), median_s, p99_s)


def latency_by_day(connection: Connection, since: float, until: float) -> dict[date, Latency]:
    """Return the latency of the charges of each day from one time until another, Unix seconds."""
    query = select(latencies).where(
        latencies.c.day.between(int(since // DAY_S), int(until // DAY_S))
    )
    by_day: dict[int, Counter[int]] = {}
    for day, step, count in connection.execute(query):
        by_day.setdefault(day, Counter())[step] += count
    found = {day: Latency.of(counts) for day, counts in by_day.items()}
    return {
        datetime.fromtimestamp(day * DAY_S, UTC).date(): latency
        for day, latency in found.items()
        if latency is not None
    }


def latest_latency(connection: Connection, since: float) -> Latency | None:
    """Return the latency of those of the `LATEST_MAX` newest charges that were scored since.

    They are the newest by event time, and count whenever they were made: this is how fast workers
    are, whatever they are given.
    """
    charge = charges.c
    query = (
        select(details.c.written_at, charge.written_at)
        .select_from(charges.join(details, is_of_charge(details)))
        .order_by(charge.created.desc())
        .limit(LATEST_MAX)
    )
    ends = connection.execute(query).tuples()
    return Latency.of(
        Counter(step_of(scored_at - put_at) for put_at, scored_at in ends if scored_at >= since)
    )
