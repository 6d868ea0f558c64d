"""The overview: what happened, what waits, and how soon charges are scored."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from agents.web.console.app import Page
from agents.web.console.plots import daily_bars
from agents.web.read_model.latency import WAITED_FOR_S
from agents.web.read_model.queries.latencies import latency_by_day, latest_latency
from agents.web.read_model.queries.overview import overview
from streams.durations import DAY_S, MINUTE_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from sqlalchemy import Connection
    from starlette.responses import Response

    from agents.web.console.reader import Reader
    from agents.web.console.rendering import Templates
    from agents.web.console.visit import Visit
    from agents.web.console.worker_lag import WorkerLag
    from agents.web.read_model.queries.latencies import Latency
    from agents.web.read_model.queries.overview import DaySums, Overview

SPANS: Final = (1, 7, 30, 90)
"""Days that the overview may show."""

NOW_MINUTES: Final = 5
"""How far back it looks for how soon charges are scored now."""


class Money(NamedTuple):
    """Sums over some days; fraud is expected by scores where it was blocked."""

    charges: int
    usd: float
    by_given: dict[str, int]
    stopped: float
    stopped_usd: float
    missed: int
    missed_usd: float
    cleared: int


class OverviewPages:
    """The pages of the overview."""

    def __init__(self, templates: Templates, reader: Reader, lag: WorkerLag) -> None:
        self._templates = templates
        self._reader = reader
        self._lag = lag

    def pages(self) -> Iterable[Page]:
        """Return the pages."""
        yield Page("GET", "/", self.overview, "viewer")
        yield Page("GET", "/now", self.now, "viewer")

    async def overview(self, visit: Visit) -> Response:
        """Show what happened lately, and what waits."""
        given = visit.query("days")
        days = int(given) if given in {str(span) for span in SPANS} else SPANS[1]
        now = time.time()
        since, until = now - (days - 1) * DAY_S, now + DAY_S

        def ask(connection: Connection) -> tuple[Overview, dict[date, Latency]]:
            return overview(connection, since, until), latency_by_day(connection, since, until)

        found, latencies = await self._reader.run(ask)
        today = datetime.fromtimestamp(now, UTC).date()
        return self._templates.render(
            visit,
            "overview.html",
            found=found,
            days=days,
            spans=SPANS,
            today=_money(each for each in found.days if each.day == today),
            span=_money(found.days),
            by_day=_by_day(found.days),
            latencies=latencies,
            waited_for_minutes=round(WAITED_FOR_S / MINUTE_S),
            picture=daily_bars(found.days) if found.days else None,
        )

    async def now(self, visit: Visit) -> Response:
        """Tell how soon charges are scored now, and how much waits for the workers."""
        since = time.time() - NOW_MINUTES * MINUTE_S
        latest, lags = await asyncio.gather(
            self._reader.run(lambda connection: latest_latency(connection, since)),
            asyncio.to_thread(self._lag.lags),
        )
        return self._templates.part(
            visit, "overview_now.html", latest=latest, lags=lags, minutes=NOW_MINUTES
        )


def _money(days: Iterable[DaySums]) -> Money:
    listed = list(days)
    blocked = [each for each in listed if each.given == "block"]
    by_given: dict[str, int] = {}
    for each in listed:
        by_given[each.given] = by_given.get(each.given, 0) + each.charges
    return Money(
        sum(each.charges for each in listed),
        sum(each.usd for each in listed),
        by_given,
        sum(each.expected_frauds for each in blocked) + sum(each.found for each in listed),
        sum(each.expected_usd for each in blocked) + sum(each.found_usd for each in listed),
        sum(each.disputed for each in listed),
        sum(each.disputed_usd for each in listed),
        sum(each.cleared for each in listed),
    )


def _by_day(days: Sequence[DaySums]) -> list[tuple[Any, Money]]:
    """Return the sums of each day, the newest first."""
    dates = sorted({each.day for each in days}, reverse=True)
    return [(day, _money(each for each in days if each.day == day)) for day in dates]
