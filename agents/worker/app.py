"""The Faust application: three agents, the service that feeds them, and the worker's web pages.

Faust runs the worker: agents, services, web server, signals. Its own consumer and producer are
off: `agents.worker.service` takes turns with the stream engine in their place.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import faust
from faust.app import BootStrategy
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from agents.worker.pipeline import Pipeline
from agents.worker.service import Turns

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
        f"{settings.topic_prefix}{settings.application_id}",
        broker="kafka://",
        store="memory://",
        web_port=settings.web_port,
        datadir=settings.state_dir,
    )
    turns = Turns(app, settings, partitions)
    app.service(turns)  # type: ignore[arg-type] # Faust starts an instance as well as a class
    _add_agents(app, turns)
    _add_pages(app, turns)
    return app


def _add_agents(app: faust.App, turns: Turns) -> None:
    @app.agent(turns.to_count, name="card")
    async def card(batches: Any) -> None:
        async for handed in batches:
            handed.answer(Pipeline.count_cards)

    @app.agent(turns.to_score, name="merchant")
    async def merchant(batches: Any) -> None:
        async for handed in batches:
            handed.answer(Pipeline.score)

    @app.agent(turns.to_learn, name="learner")
    async def learner(batches: Any) -> None:
        async for handed in batches:
            handed.answer(Pipeline.learn)


def _add_pages(app: faust.App, turns: Turns) -> None:
    @app.page("/healthz")
    async def healthz(view: View, _: Request) -> Response:
        return view.text("ok\n")

    @app.page("/readyz")
    async def readyz(view: View, _: Request) -> Response:
        return view.text("ready\n") if turns.is_ready else view.text("restoring\n", status=503)

    @app.page("/metrics")
    async def metrics(view: View, _: Request) -> Response:
        return view.bytes(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
