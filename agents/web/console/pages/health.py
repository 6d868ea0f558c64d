"""Whether all is well: brokers, workers, how far they are behind, and the read model."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from math import nan
from typing import TYPE_CHECKING

from starlette.responses import Response

from agents.web.console import metrics
from agents.web.console.app import Page
from agents.web.metrics_page import MetricsPage
from agents.web.problems import unavailable
from agents.web.read_model.database import ReadModelError, fresh_as_of
from agents.web.read_model.queries.overview import waiting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agents.web.console.link import ConsoleLink
    from agents.web.console.reader import Reader
    from agents.web.console.rendering import Templates
    from agents.web.console.visit import Visit
    from agents.web.console.worker_lag import Lag, WorkerLag


class HealthPages:
    """The page of health.

    Parameters
    ----------
    templates, link, reader
        Of the console.
    lag
        Of the workers.
    """

    def __init__(
        self, templates: Templates, link: ConsoleLink, reader: Reader, lag: WorkerLag
    ) -> None:
        self._templates = templates
        self._link = link
        self._reader = reader
        self._lag = lag
        self._metrics = MetricsPage(link.clients.statistics, partial(reader.run, fresh_as_of))

    def pages(self) -> Iterable[Page]:
        """Return the pages."""
        yield Page("GET", "/health", self.show, "viewer")
        yield Page("GET", "/readyz", self.readyz, None)
        yield Page("GET", "/metrics", self.metrics, None)

    async def show(self, visit: Visit) -> Response:
        """Show what runs, and how far it is behind."""
        members: list[tuple[str, list[int]]] | None = None
        lags: Sequence[Lag] = ()
        if not self._link.is_away:
            found, lags = await asyncio.gather(
                asyncio.to_thread(self._link.clients.stable_assignment, self._lag.group),
                asyncio.to_thread(self._lag.lags),
            )
            members = sorted((member, sorted(tasks)) for member, tasks in found.items())
        try:
            fresh = await self._reader.run(fresh_as_of)
            mistake = ""
        except ReadModelError as error:
            fresh, mistake = None, str(error)
        return self._templates.render(
            visit, "health.html", is_away=self._link.is_away, members=members, lags=lags,
            fresh=fresh, mistake=mistake,
        )  # fmt: skip

    async def readyz(self, _: Visit) -> Response:
        """Tell whether anything can be done."""
        if self._link.is_away:
            raise unavailable("Kafka does not answer")
        return Response("ready\n", media_type="text/plain")

    async def metrics(self, _: Visit) -> Response:
        """Return the metrics of this console."""
        metrics.IS_AWAY.set(self._link.is_away)
        try:
            queue = await self._reader.run(waiting)
        except ReadModelError:
            metrics.REVIEWS_WAITING.set(nan)
            metrics.OLDEST_REVIEW_SECONDS.set(nan)
        else:
            age_s = 0.0 if queue.oldest is None else time.time() - queue.oldest
            metrics.REVIEWS_WAITING.set(queue.charges)
            metrics.OLDEST_REVIEW_SECONDS.set(age_s)
        return await self._metrics.response()
