"""What the web servers of an installation tell Prometheus, beside what is their own."""

from __future__ import annotations

import time
from math import nan
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from starlette.responses import Response

from agents.telemetry.kafka_clients import KafkaClients
from agents.web.read_model.database import ReadModelError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from streams.kafka.statistics import ClientStatistics

READ_MODEL_BEHIND_SECONDS = Gauge(
    "chargewatch_read_model_behind_seconds",
    "Time since the read model had all that was committed; NaN where it cannot be asked",
)


class MetricsPage:
    """The page of metrics of a web server.

    Parameters
    ----------
    statistics
        Of its Kafka clients.
    fresh_as_of
        Asks the read model up to which time all that was committed is in it, Unix seconds, `None`
        while it is first built; raises `ReadModelError` where there is none.
    """

    def __init__(
        self, statistics: ClientStatistics, fresh_as_of: Callable[[], Awaitable[float | None]]
    ) -> None:
        self._clients = KafkaClients(statistics)
        self._fresh_as_of = fresh_as_of

    async def response(self) -> Response:
        """Return all metrics of this process, as they are now."""
        self._clients.show()
        READ_MODEL_BEHIND_SECONDS.set(await self._behind_s())
        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _behind_s(self) -> float:
        try:
            at = await self._fresh_as_of()
        except ReadModelError:
            return nan
        return nan if at is None else max(time.time() - at, 0.0)
