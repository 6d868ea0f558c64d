"""Workers of a simulation: places in which processes come and go."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from agents.worker.turn import Parts, Turns
from streams.engine.engine import RefusedError
from streams.kafka.retry import StoppedError
from tests.simulation.clients import SimulatedClients
from tests.simulation.disk import Disk
from tests.simulation.scheduling import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from streams.engine.engine import Engine
    from streams.engine.task import Task
    from streams.kafka.clients import Clients
    from streams.state.store import Store
    from tests.simulation.broker import Broker
    from tests.simulation.faults import Faults

    T = TypeVar("T")

logger = logging.getLogger(__name__)

_COMMIT_INTERVAL_S = 0.05
_IDLE_POLL_S = 1.0
"""Longer than a worker's, which costs three times as many steps for nothing."""

_BACK_S = 3.0


class Pipeline(Parts, Protocol):
    """What a worker computes with."""

    @property
    def engine(self) -> Engine:
        """What moves the work."""


class PipelineFactory(Protocol):
    """Makes the pipeline of a worker."""

    def __call__(self, clients: Clients, open_store: Callable[[int], Store], name: str) -> Pipeline:
        """Return the pipeline of the worker of this name."""


class AtOnce:
    """Drives turns in the thread that takes them: nothing here waits for an event loop."""

    async def block(self, part: Callable[..., T], *arguments: Any) -> T:
        return part(*arguments)

    async def hand(self, agent: str, part: Callable[[Any], T], work: Any) -> T:  # noqa: ARG002
        return part(work)


class Worker:
    """A worker that its supervisor starts again whenever its process has ended.

    Parameters
    ----------
    name
        Its name, and its producer's.
    broker
        What it works with.
    faults
        What happens to it.
    new_pipeline
        Makes what it computes with.
    is_static
        Whether it is a static member of the group.

    Attributes
    ----------
    process
        The process that runs, or ran last.
    unexpected
        What ended a process though it should not have.
    """

    def __init__(
        self,
        name: str,
        broker: Broker,
        faults: Faults,
        new_pipeline: PipelineFactory,
        *,
        is_static: bool,
    ) -> None:
        self.name = name
        self.disk = Disk()
        self.process: Process | None = None
        self.pipeline: Pipeline | None = None
        self.processes: list[Process] = []
        self.unexpected: Exception | None = None
        self._broker = broker
        self._faults = faults
        self._new_pipeline = new_pipeline
        self._is_static = is_static
        self._is_stopping = False

    @property
    def runs(self) -> bool:
        """Whether a process of it is there."""
        return self.process is not None and not self.process.is_dead

    @property
    def is_undisturbed(self) -> bool:
        """Whether its process runs and reaches the broker, and no other is left."""
        process = self.process
        return (
            process is not None
            and not process.is_dead
            and not process.is_paused
            and self._broker.answers(process)
            and all(other.is_dead for other in self.processes if other is not process)
        )

    @property
    def tasks(self) -> Mapping[int, Task]:
        """Its running tasks."""
        return {} if self.pipeline is None or not self.runs else self.pipeline.engine.tasks

    def start(self) -> None:
        """Start a process, unless one runs."""
        if not self.runs:
            process = Process(self._broker.scheduler, self.name, self._faults.on_step)
            disk = self.disk
            self.process = process
            self.processes.append(process)
            self.pipeline = None
            self._is_stopping = False
            logger.info("%s starts", self.name)
            process.spawn(lambda: self._run(process, disk))

    def stop(self) -> None:
        """Ask it to end, as SIGTERM does."""
        logger.info("%s is asked to end", self.name)
        self._is_stopping = True

    def kill(self) -> None:
        """End it at once, as SIGKILL does."""
        if self.process is not None:
            logger.info("%s is killed", self.name)
            self.process.kill()

    def move(self, seconds: float) -> None:
        """Start it on another machine, as this one is cut off.

        A static member that has been replaced must end by itself when it is back; another is
        killed then.
        """
        process = self.process
        if process is not None:
            logger.info("%s is cut off for %s s, and moves", self.name, seconds)
            self._broker.cut_off(process, seconds)
            if not self._is_static:
                process.later(seconds + _BACK_S, process.kill)
            self.process = None
            self.disk = Disk()
            self.start()

    def _run(self, process: Process, disk: Disk) -> None:
        try:
            pipeline = self._new_pipeline(
                SimulatedClients(process, self._broker),
                lambda number: disk.open(number, process),
                self.name,
            )
            if process is self.process:
                self.pipeline = pipeline
            clock = self._broker.scheduler
            turns = Turns(pipeline, AtOnce(), _COMMIT_INTERVAL_S, _IDLE_POLL_S, lambda: clock.now)
            has_failed = False
            try:
                while not (self._is_stopping and process is self.process):
                    _drive(turns.take())
            except Exception as failure:
                self._judge(failure)
                has_failed = True
            _drive(turns.end(has_failed=has_failed))
        except Exception as failure:
            self._judge(failure)
        finally:
            process.kill()

    def _judge(self, failure: Exception) -> None:
        """Keep a failure that no fault explains."""
        logger.info("%s ends", self.name, exc_info=failure)
        if isinstance(failure, StoppedError | RefusedError):
            return
        if self.unexpected is None:
            self.unexpected = failure


def _drive(turn: Coroutine[Any, Any, None]) -> None:
    """Run a turn to its end."""
    try:
        turn.send(None)
    except StopIteration:
        return
    raise AssertionError("a simulated turn waits for nothing")
