"""The service that moves what the agents compute: it takes turns between Kafka and the agents.

::

    fetch -> merchant agent, card agent, learner agent -> commit, when it is due

Everything that blocks runs in one thread, one call at a time, so nothing of the stream machinery
needs a lock; the agents compute on the event loop while that thread rests. The commit alone goes on
beside the next turns.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from mode import Service

from agents.process import spare_the_collector
from agents.worker.pipeline import Pipeline
from agents.worker.watchdog import Watchdog
from streams.kafka.retry import StoppedError
from streams.kafka.transactional_producer import AbortableError

if TYPE_CHECKING:
    from collections.abc import Callable

    import faust

    from agents.settings.schema import Settings

logger = logging.getLogger(__name__)

_IDLE_POLL_S = 0.05
_STOP_PATIENCE_S = 3.0
"""How long a stopping worker waits for a broker that does not answer."""


@dataclass(slots=True)
class Handed:
    """What an agent is handed, and the future by which it answers."""

    pipeline: Pipeline
    work: Any
    done: asyncio.Future[None]

    def answer(self, compute: Callable[[Pipeline, Any], None]) -> None:
        """Compute; a failure goes to whoever waits, which ends the worker."""
        try:
            compute(self.pipeline, self.work)
        except Exception as error:
            self.done.set_exception(error)
        else:
            self.done.set_result(None)


class Turns(Service):
    """Takes turns until it is stopped; ends the worker when a turn fails.

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
    to_count, to_score, to_learn
        Channels of the agents, bounded so that nobody runs ahead.
    """

    logger = logging.getLogger("faust")

    def __init__(
        self, app: faust.App, settings: Settings, partitions: int | None = None, **options: Any
    ) -> None:
        self.to_count = app.channel(maxsize=1)
        self.to_score = app.channel(maxsize=1)
        self.to_learn = app.channel(maxsize=1)
        self.pipeline: Pipeline | None = None
        self._app = app
        self._settings = settings
        self._partitions = partitions
        self._kafka = ThreadPoolExecutor(1, "kafka")
        self._committed_at = monotonic()
        self._has_sent = False
        self._watchdog = Watchdog(settings.wedged_after_s)
        self._turn_lock = asyncio.Lock()
        super().__init__(**options)

    @property
    def is_ready(self) -> bool:
        """Whether this worker is a member and its tasks are restored."""
        return self.pipeline is not None and self.pipeline.engine.is_ready

    async def on_start(self) -> None:
        """Connect."""
        self.pipeline = await self._blocking(
            partial(Pipeline, self._settings, partitions=self._partitions)
        )
        self.pipeline.retry.on_wait = self._watchdog.alive
        self._watchdog.start()
        self._app.flow_control.resume()  # streams wait for it, and nobody else does it

    async def on_stop(self) -> None:
        """Commit what is done and give the tasks back; a turn that has begun is finished first."""
        pipeline = self.pipeline
        if pipeline is not None:
            give_up = asyncio.get_running_loop().call_later(
                _STOP_PATIENCE_S, pipeline.retry.stopping.set
            )
            async with self._turn_lock:
                if self.crashed:
                    await self._blocking(pipeline.abort)
                await self._blocking(pipeline.close)
            give_up.cancel()
        self._kafka.shutdown()

    @Service.task
    async def _run(self) -> None:
        assert self.pipeline is not None
        was_ready = False
        while not self.should_stop:
            async with self._turn_lock:
                if not self.should_stop:
                    await self._take_turn(self.pipeline)
                    self._watchdog.turn(self.pipeline.engine.taken, self.pipeline.engine.lag)
            if self.is_ready and not was_ready:
                was_ready = True
                spare_the_collector()
                logger.info("worker ready: tasks %s", sorted(self.pipeline.engine.tasks))

    async def _take_turn(self, pipeline: Pipeline) -> None:
        try:
            await self._turn(pipeline)
        except AbortableError as error:
            logger.warning("the work since the last commit is done again: %s", error)
            await self._blocking(pipeline.abort)
        except StoppedError as error:
            logger.warning("the last turn is not finished: %s", error)
            with suppress(StoppedError):
                await self._blocking(pipeline.abort)

    async def _turn(self, pipeline: Pipeline) -> None:
        work, examples = await self._blocking(pipeline.fetch, self._patience_s())
        for channel, part in (
            (self.to_score, work.frames),
            (self.to_count, work.inputs),
            (self.to_learn, examples),
        ):
            if part:
                await self._hand(channel, pipeline, part)
        pipeline.reject(work.rejected)
        published = pipeline.publish_late()
        self._has_sent = self._has_sent or bool(work or examples or published)
        if self._has_sent and self._patience_s() <= 0.0:
            self._committed_at, self._has_sent = monotonic(), False
            await self._blocking(pipeline.commit)

    def _patience_s(self) -> float:
        """Tell how long to wait for more before the commit, seconds."""
        if not self._has_sent:
            return _IDLE_POLL_S
        due_at = self._committed_at + self._settings.commit_interval_s
        return max(0.0, due_at - monotonic())

    async def _hand(self, channel: Any, pipeline: Pipeline, work: Any) -> None:
        """Hand work to an agent, and wait until it is done or has failed."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await channel.send(value=Handed(pipeline, work, done))
        await done

    async def _blocking(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._kafka, call, *arguments)
