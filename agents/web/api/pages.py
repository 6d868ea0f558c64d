"""What anybody may ask: health, metrics, and the description of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from agents.web.api import metrics
from agents.web.api.endpoints import json_response
from agents.web.metrics_page import MetricsPage
from agents.web.problems import unavailable

if TYPE_CHECKING:
    from agents.web.api.calls import Call
    from agents.web.api.charge_desk import ChargeDesk
    from agents.web.api.charge_lookup import ChargeLookup
    from agents.web.api.link import KafkaLink

_TEXT = "text/plain; charset=utf-8"


class Pages:
    """The calls that need no key.

    Parameters
    ----------
    link, desk
        Of the replica.
    lookup
        Asks the read model, of which it is told how far it is behind.

    Attributes
    ----------
    document
        The OpenAPI document, in JSON.
    """

    document = b"{}"

    def __init__(self, link: KafkaLink, desk: ChargeDesk, lookup: ChargeLookup) -> None:
        self._link = link
        self._desk = desk
        self._metrics = MetricsPage(link.clients.statistics, lookup.fresh_as_of)

    async def healthz(self, _: Call) -> Response:
        """Tell that the process runs."""
        return Response("ok\n", media_type=_TEXT)

    async def readyz(self, _: Call) -> Response:
        """Tell whether charges can be answered, be it by fallback."""
        if self._link.is_away:
            raise unavailable("Kafka does not answer")
        return Response("ready\n", media_type=_TEXT)

    async def metrics(self, _: Call) -> Response:
        """Return the metrics of this replica."""
        metrics.IN_FLIGHT.set(self._desk.in_flight)
        metrics.UNSCORED.set(len(self._desk.lag))
        metrics.IS_AWAY.set(self._link.is_away)
        return await self._metrics.response()

    async def openapi(self, _: Call) -> Response:
        """Return the description of the API."""
        return json_response(self.document)
