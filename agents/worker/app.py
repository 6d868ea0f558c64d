"""The Faust application: four agents, the service that feeds them, and the worker's web pages.

Faust runs the worker: agents, services, web server, signals. Its own consumer and producer are
off: `agents.worker.service` drives turns of the stream engine in their place.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import faust
from faust.app import BootStrategy
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from agents.worker.service import TurnService

if TYPE_CHECKING:
    from faust.web import Request, Response, View

    from agents.settings.schema import Settings


class _WithoutKafka(BootStrategy):
    """Starts everything of Faust but its own Kafka clients."""

    enable_kafka = False


class Chargewatch(faust.App):
    """A Faust application without Faust's own Kafka clients."""

    BootStrategy = _WithoutKafka
    logger = logging.getLogger("faust")


def create_app(settings: Settings, partitions: int | None = None) -> faust.App:
    """Put the application together; nothing connects before the worker starts it.

    Parameters
    ----------
    settings
        Of the worker.
    partitions
        That the state of the tasks is of; not watched when `None`.
    """
    app = Chargewatch(
        settings.group_id,
        broker="kafka://",
        store="memory://",
        web_port=settings.web_port,
        datadir=settings.state_dir,
    )
    service = TurnService(app, settings, partitions)
    app.service(service)  # type: ignore[arg-type] # Faust starts an instance as well as a class
    _add_agents(app, service)
    _add_pages(app, service)
    return app


def _add_agents(app: faust.App, service: TurnService) -> None:
    for name, channel in service.channels.items():
        app.agent(channel, name=name)(_answer)


async def _answer(batches: Any) -> None:
    async for handed in batches:
        handed.answer()


def _add_pages(app: faust.App, service: TurnService) -> None:
    @app.page("/healthz")
    async def healthz(view: View, _: Request) -> Response:
        return view.text("ok\n")

    @app.page("/readyz")
    async def readyz(view: View, _: Request) -> Response:
        return view.text("ready\n") if service.is_ready else view.text("restoring\n", status=503)

    @app.page("/metrics")
    async def metrics(view: View, _: Request) -> Response:
        return view.bytes(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
