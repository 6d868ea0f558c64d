"""The Faust application: agents that compute, and the service that moves what they compute.

Faust runs the worker: agents, services, web server, signals. Its own consumer and producer are
off; the service below takes turns with the stream engine instead::

    fetch -> merchant agent, card agent, learner agent -> commit, when it is due
"""

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic, time
from typing import Any

import faust
import numpy as np
from faust.app import BootStrategy
from mode import Service

from agents import metrics
from agents.card import CardBatch
from agents.model_feed import LearnerFeed, ModelFollower
from agents.settings import Settings
from agents.tasks import TaskStages, open_task
from streams.client import client_config
from streams.engine import Engine, EngineSettings
from streams.frames import Frames, encode_examples
from streams.intake import Events
from streams.producer import OutputProducer
from streams.task import Task
from streams.topics import Topics

logger = logging.getLogger(__name__)

_IDLE_POLL_S = 0.05

TaskEvents = list[tuple[Task, Events]]


class WithoutKafka(BootStrategy):  # type: ignore[misc]
    """Starts everything of Faust but its own Kafka clients."""

    enable_kafka = False


@dataclass(slots=True)
class Handed:
    """What an agent is handed, and the future by which it answers."""

    work: Any
    done: asyncio.Future[None]


class Parts:
    """What a worker consists of, and the computing of its agents.

    Connecting blocks, so this is made in the thread that does everything with Kafka.
    """

    def __init__(self, settings: Settings) -> None:
        topics, config = (
            Topics(settings.topic_prefix),
            client_config(settings.bootstrap_servers, os.environ),
        )
        application_id = f"{settings.topic_prefix}{settings.application_id}"
        exactly_once = settings.processing_guarantee == "exactly_once"
        transactional_id = f"{application_id}-{settings.worker_id}" if exactly_once else None
        self.topics = topics
        self.producer = OutputProducer(config, transactional_id)
        self.engine = Engine(
            EngineSettings(
                application_id=application_id,
                exactly_once=exactly_once,
                max_batch=settings.max_batch,
                future_allowance_s=settings.future_allowance_minutes * 60.0,
            ),
            topics,
            config,
            self.producer,
            lambda number: open_task(number, settings),
        )
        self.model = ModelFollower(topics, config, settings.model_name)
        self.model.catch_up()
        self.learner = LearnerFeed(settings, topics, config, self.producer)
        self.engine.start()

    def count_cards(self, inputs: TaskEvents) -> None:
        """Run the card stage of each task; send the frames on in the order of event time."""
        times, merchants, frames = [], [], []
        for task, events in inputs:
            batch = CardBatch(events.rows, *events.lists)
            frames.extend(_stages(task).card.process(batch))
            merchants.extend(batch.merchants)
            times.append(events.times)
        order = np.argsort(np.concatenate(times), kind="stable").tolist()
        self.producer.send(self.topics.by_merchant, [(merchants[i], frames[i]) for i in order])

    def score(self, frames: TaskEvents) -> None:
        """Run the merchant stage of each task; send scored events and examples."""
        for task, events in frames:
            merchants, keys, tails = events.lists
            output = _stages(task).merchant.process(
                merchants, Frames(events.rows, keys, tails), self.model.scorer, time
            )
            self.producer.send(
                self.topics.scored, list(zip(output.keys, output.scored, strict=True))
            )
            examples = encode_examples(output.examples)
            self.producer.send(self.topics.examples, [(None, example) for example in examples])
            self.producer.send_rejected(self.topics.rejected, output.rejected)
            metrics.count_output(output)

    def settle_learner(self) -> None:
        """Have the learner where task 0 is, and the newest model in use."""
        has_task = 0 in self.engine.tasks and self.engine.tasks[0].is_running
        if has_task and not self.learner.is_running:
            self.model.catch_up()
            self.learner.start(self.model.snapshot)
        elif not has_task:
            self.learner.stop()
        self.model.refresh()

    def close(self) -> None:
        """Commit and leave."""
        self.learner.stop()
        self.engine.close()
        self.model.close()


def _stages(task: Task) -> TaskStages:
    assert isinstance(task.stages, TaskStages)
    return task.stages


class Turns(Service):  # type: ignore[misc]
    """Takes turns with the engine until it is stopped; ends the worker when a turn fails."""

    def __init__(
        self, app: faust.App, settings: Settings, agents: "Agents", **options: Any
    ) -> None:
        self._app = app
        self._settings = settings
        self._agents = agents
        self._kafka = ThreadPoolExecutor(1, "kafka")  # everything that blocks, one at a time
        self._committed_at = monotonic()
        self._has_sent = False
        super().__init__(**options)

    @property
    def is_ready(self) -> bool:
        """Whether this worker is a member and its tasks are restored."""
        parts = self._agents.parts
        return parts is not None and parts.engine.is_ready

    async def _blocking(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._kafka, call, *arguments)

    async def on_start(self) -> None:
        """Connect."""
        self._agents.parts = await self._blocking(Parts, self._settings)
        self._app.flow_control.resume()  # streams wait for it, and nobody else does it

    async def on_stop(self) -> None:
        """Commit what is done and give the tasks back."""
        if self._agents.parts is not None and not self.crashed:
            await self._blocking(self._agents.parts.close)
        self._kafka.shutdown()

    @Service.task  # type: ignore[misc]
    async def _run(self) -> None:
        parts = self._agents.parts
        assert parts is not None
        was_ready = False
        while not self.should_stop:
            await self._turn(parts)
            if self.is_ready and not was_ready:
                was_ready = True
                logger.warning("worker ready: tasks %s", sorted(parts.engine.tasks))

    async def _turn(self, parts: Parts) -> None:
        work = await self._blocking(parts.engine.fetch, self._patience_s())
        await self._blocking(parts.settle_learner)
        examples = await self._blocking(parts.learner.fetch)
        if work.frames:
            await self._agents.hand(self._agents.to_score, work.frames)
        if work.inputs:
            await self._agents.hand(self._agents.to_count, work.inputs)
        if examples:
            await self._agents.hand(self._agents.to_learn, examples)
        parts.producer.send_rejected(parts.topics.rejected, work.rejected)
        metrics.count_rejected(work.rejected)
        parts.learner.publish_late()
        self._has_sent = self._has_sent or bool(work or examples)
        if self._has_sent and self._patience_s() <= 0.0:
            began = monotonic()
            await self._blocking(parts.engine.commit)
            self._committed_at, self._has_sent = monotonic(), False
            metrics.COMMITS.inc()
            metrics.COMMIT_SECONDS.observe(self._committed_at - began)

    def _patience_s(self) -> float:
        """Tell how long to wait for more before the commit, seconds."""
        if not self._has_sent:
            return _IDLE_POLL_S
        due_at = self._committed_at + self._settings.commit_interval_ms / 1e3
        return max(0.0, due_at - monotonic())


class Agents:
    """The agents' channels, bounded so that nobody runs ahead, and the parts they compute with."""

    def __init__(self, app: faust.App) -> None:
        self.parts: Parts | None = None
        self.to_count = app.channel(maxsize=1)
        self.to_score = app.channel(maxsize=1)
        self.to_learn = app.channel(maxsize=1)

    async def hand(self, channel: Any, work: Any) -> None:
        """Hand work to an agent, and wait until it is done or has failed."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await channel.send(value=Handed(work, done))
        await done


def create_app(settings: Settings) -> faust.App:
    """Put the application together; nothing connects before the worker starts it."""
    app = faust.App(
        f"{settings.topic_prefix}{settings.application_id}",
        broker="kafka://",
        store="memory://",
        web_port=settings.web_port,
        datadir=settings.state_dir,
    )
    app.BootStrategy = WithoutKafka
    agents = Agents(app)

    def answer(handed: Handed, compute: Callable[[Parts], None]) -> None:
        """Compute; a failure goes to whoever waits, which ends the worker."""
        assert agents.parts is not None
        try:
            compute(agents.parts)
        except Exception as error:
            handed.done.set_exception(error)
        else:
            handed.done.set_result(None)

    @app.agent(agents.to_count)
    async def card(batches: Any) -> None:
        async for handed in batches:
            answer(handed, lambda parts: parts.count_cards(handed.work))

    @app.agent(agents.to_score)
    async def merchant(batches: Any) -> None:
        async for handed in batches:
            answer(handed, lambda parts: parts.score(handed.work))

    @app.agent(agents.to_learn)
    async def learner(batches: Any) -> None:
        async for handed in batches:
            answer(handed, lambda parts: parts.learner.learn(handed.work))

    turns = Turns(app, settings, agents)
    app.service(turns)
    return app
