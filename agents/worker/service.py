"""The service that drives the turns: blocking parts in a thread, computing ones in the agents.

Everything that blocks runs in one thread, one call at a time, so nothing of the stream machinery
needs a lock; the agents compute on the event loop while that thread rests. The commit alone goes on
beside the next turns.
"""

from __future__ import annotations

import asyncio
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from mode import Service

from agents.process import spare_the_collector
from agents.telemetry.certificates import show_certificates
from agents.worker.latencies import BUSY
from agents.worker.pipeline import Pipeline
from agents.worker.turn import AGENTS, Turns
from agents.worker.watchdog import Watchdog
from streams.kafka.clients import Clients
from streams.kafka.config import client_config
from streams.kafka.retry import StoppedError
from streams.kafka.statistics import TOLD_EVERY_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    import faust

    from agents.settings.schema import Settings

    T = TypeVar("T")

logger = logging.getLogger(__name__)

_STOP_PATIENCE_S = 3.0
"""How long a stopping worker waits for a broker that does not answer."""


@dataclass(slots=True)
class Handed:
    """What an agent is handed, and the future by which it answers."""

    agent: str
    compute: Callable[[Any], Any]
    work: Any
    done: asyncio.Future[Any]

    def answer(self) -> None:
        """Compute; a failure goes to whoever waits, which ends the worker."""
        began = perf_counter()
        try:
            answer = self.compute(self.work)
        except Exception as error:
            self.done.set_exception(error)
        else:
            self.done.set_result(answer)
        BUSY[self.agent].inc(perf_counter() - began)


class TurnService(Service):
    """Drives turns until it is stopped; ends the worker when a turn fails.

    Parameters
    ----------
    app
        The application.
    settings
        Of the worker.
    partitions
        That the state of the tasks is of; not watched when `None`.

    Attributes
    ----------
    channels
        To each agent, by its name; bounded so that nobody runs ahead.
    """

    logger = logging.getLogger("faust")

    def __init__(
        self, app: faust.App, settings: Settings, partitions: int | None = None, **options: Any
    ) -> None:
        self.channels = {agent: app.channel(maxsize=1) for agent in AGENTS}
        self.pipeline: Pipeline | None = None
        self._turns: Turns | None = None
        self._app = app
        self._settings = settings
        self._partitions = partitions
        self._kafka = ThreadPoolExecutor(1, "kafka")
        self._clients = Clients(client_config(settings.bootstrap_servers, os.environ))
        self._watchdog = Watchdog(settings.wedged_after_s)
        self._turn_lock = asyncio.Lock()
        self._clients_shown_at = 0.0
        super().__init__(**options)

    @property
    def is_ready(self) -> bool:
        """Whether this worker is a member and its tasks are restored."""
        return self.pipeline is not None and self.pipeline.engine.is_ready

    async def on_start(self) -> None:
        """Connect; a stop that comes meanwhile waits for it no longer than for a turn."""
        show_certificates({}, os.environ)
        async with self._turn_lock:
            try:
                self.pipeline = await self.block(
                    partial(Pipeline, self._settings, self._clients, partitions=self._partitions)
                )
            except StoppedError as error:
                logger.warning("%s", error)
                return
            self._clients.retry.on_wait = self._watchdog.alive
            self._turns = Turns(self.pipeline, self, self._settings.commit_interval_s)
            self._watchdog.start()
            self._app.flow_control.resume()  # streams wait for it, and nobody else does it

    async def on_stop(self) -> None:
        """Commit what is done and give the tasks back; a turn that has begun is finished first."""
        give_up = asyncio.get_running_loop().call_later(
            _STOP_PATIENCE_S, self._clients.retry.stopping.set
        )
        async with self._turn_lock:
            if self._turns is not None:
                await self._turns.end(has_failed=self.crashed)
        give_up.cancel()
        logger.info("worker stopped")
        self._kafka.shutdown()

    @Service.task
    async def _run(self) -> None:
        assert self.pipeline is not None
        assert self._turns is not None
        was_ready = False
        while not self.should_stop:
            async with self._turn_lock:
                if not self.should_stop:
                    await self._turns.take()
                    self._watchdog.turn(self.pipeline.engine.taken, self.pipeline.engine.lag)
                    await self._show_clients(self.pipeline)
            if self.is_ready and not was_ready:
                was_ready = True
                spare_the_collector()
                logger.info("worker ready: tasks %s", sorted(self.pipeline.engine.tasks))

    async def _show_clients(self, pipeline: Pipeline) -> None:
        """Show what the Kafka clients tell of themselves, as often as they do."""
        if monotonic() - self._clients_shown_at >= TOLD_EVERY_MS / 1e3:
            self._clients_shown_at = monotonic()
            await self.block(pipeline.show_clients)

    async def block(self, part: Callable[..., T], *arguments: Any) -> T:
        """See `agents.worker.turn.Driver`."""
        return await asyncio.get_running_loop().run_in_executor(self._kafka, part, *arguments)

    async def hand(self, agent: str, part: Callable[[Any], T], work: Any) -> T:
        """See `agents.worker.turn.Driver`; fails as the part does."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        await self.channels[agent].send(value=Handed(agent, part, work, done))
        return await done
