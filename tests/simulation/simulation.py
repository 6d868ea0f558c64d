"""One schedule: inputs, workers, what goes wrong, and the check once all has settled."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import msgspec

from streams.engine.settings import EngineSettings
from streams.engine.task import BY_ENTITY, BY_MERCHANT, CHARGES, DISPUTES, OUTCOMES
from streams.kafka.topics import Topics
from tests.simulation.broker import Broker
from tests.simulation.counting import CountingPipeline
from tests.simulation.counting_checks import CountingChecks
from tests.simulation.events import Inputs
from tests.simulation.faults import Coverage, Fault, Faults
from tests.simulation.operator import Operator
from tests.simulation.real_checks import RealChecks, has_learned_all
from tests.simulation.real_stages import SETTINGS, real_pipeline, waits_for_time
from tests.simulation.scheduling import Scheduler
from tests.simulation.troubles import Troubles
from tests.simulation.workers import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.kafka.clients import Clients
    from streams.state.store import Store
    from tests.simulation.workers import Pipeline

logger = logging.getLogger(__name__)

_TROUBLE_S = 20.0
_SETTLES_WITHIN_S = 120.0
_LOOK_EVERY_S = 0.25
_ORPHANS_FOR_S = 5.0
"""How long tasks have nobody before that is counted: in every rebalance it may be a moment."""

_RESTART_S = 1.0
_NOTICED_WITHIN_S = 2.5
"""How long a worker takes to hear that it has lost tasks, and to store what it has committed."""

_STATIC_SHARE = 0.3
_SWITCHING = (0.02, 0.1, 0.4)
_BATCHES, _BUFFERS = (1, 1, 3, 10, 1000), (2, 10, 1000)
"""Commits go on beside the next turns while more than a batch waits: so these are often small."""


class ScheduleError(AssertionError):
    """A schedule ended as it must not."""


@dataclass(frozen=True)
class Variant:
    """What schedules are made of.

    Attributes
    ----------
    exactly_once
        Whether workers use transactions.
    is_real
        Whether the stages are the real ones.
    is_static
        Whether the workers are static members for certain.
    faults
        What goes wrong for certain.
    """

    exactly_once: bool = True
    is_real: bool = False
    is_static: bool = False
    faults: tuple[Fault, ...] = ()


class Simulation:
    """One schedule.

    Parameters
    ----------
    seed
        Determines all of it.
    variant
        What it is made of.
    coverage
        Counts what it meets.

    Attributes
    ----------
    scheduler, broker
        The clock, and what is left when it has ended.
    """

    def __init__(self, seed: int, variant: Variant, coverage: Coverage) -> None:
        random = Random(seed)
        self._seed = seed
        self._variant = variant
        self._random = random
        self._coverage = coverage
        self._topics = topics = Topics()
        partitions = dict.fromkeys(topics.configs(), random.randint(1, 4))
        partitions |= dict.fromkeys(topics.of_one_partition, 1)
        self.scheduler = Scheduler(random, random.choice(_SWITCHING))
        self.broker = Broker(self.scheduler, partitions, topics.charges)
        self._faults = Faults(random, topics, self.broker, variant.faults, coverage)
        self._inputs = Inputs(random, topics, self.broker, for_real=variant.is_real)
        self._is_static = random.random() < _STATIC_SHARE or variant.is_static
        self._settings = EngineSettings(
            application_id="simulation",
            exactly_once=variant.exactly_once,
            session_timeout_ms=SETTINGS.session_timeout_ms,
            max_batch=random.choice(_BATCHES),
            max_buffered=random.choice(_BUFFERS),
        )
        self._workers: list[Worker] = []
        for _ in range(random.randint(1, 3)):
            self._add_worker()
        troubles = Troubles(random, self.broker, self._workers, self._add_worker)
        troubles.draw(self._inputs.window_s)
        if variant.is_real:
            Operator(random, topics, self.broker, SETTINGS.challengers)

    def run(self) -> None:
        """Run it to its end.

        Raises
        ------
        ScheduleError
            When something that must hold does not; its text has the seed.
        """
        try:
            self._pass(_TROUBLE_S)
            self._faults.are_over = True
            logger.info("nothing more goes wrong")
            self._settle()
            self._pass(_NOTICED_WITHIN_S)
            self._settle()
            problems = self._problems()
        finally:
            self.scheduler.finish([p for worker in self._workers for p in worker.processes])
        if problems:
            raise ScheduleError("\n".join([f"seed {self._seed}, {self._variant}:", *problems]))

    def _pass(self, seconds: float) -> None:
        self.scheduler.wait(lambda: False, seconds)

    def _settle(self) -> None:
        """Wait until all is done, or for too long."""
        began, clock = self.scheduler.now, self.scheduler
        orphans_s = 0.0
        while not self._is_settled() and clock.now < began + _SETTLES_WITHIN_S:
            self._pass(_LOOK_EVERY_S)
            orphans_s = orphans_s + _LOOK_EVERY_S if self.broker.group.has_orphans else 0.0
            self._coverage.orphans += orphans_s == _ORPHANS_FOR_S

    def _problems(self) -> list[str]:
        checks = (RealChecks if self._variant.is_real else CountingChecks)(
            self.broker, self._topics, self._inputs
        )
        unsettled = [] if self._is_settled() else [f"not settled: {self._state()}"]
        ended = [
            f"{worker.name} ended with {worker.unexpected!r}"
            for worker in self._workers
            if worker.unexpected is not None
        ]
        if self._variant.exactly_once:
            return [*unsettled, *ended, *checks.exactly_once(self._workers)]
        return [*unsettled, *ended, *checks.at_least_once()]

    def _is_settled(self) -> bool:
        """Tell whether all inputs have been processed, and nothing is left to do."""
        if not self._inputs.are_published or not self._is_drained():
            return False
        if not self._variant.is_real:
            return True
        tasks = [task for worker in self._workers for task in worker.tasks.values()]
        is_any_waiting = any(waits_for_time(task) for task in tasks)
        return not is_any_waiting and has_learned_all(self.broker, self._topics)

    def _is_drained(self) -> bool:
        """Tell whether each task has its worker, and what is published has been committed."""
        if not self.broker.is_stable or not all(w.is_undisturbed for w in self._workers):
            return False
        running = [task for worker in self._workers for task in worker.tasks.values()]
        if sorted(task.number for task in running) != self._numbers:
            return False
        return not any(
            task.is_dirty or task.is_sealed or self._has_more(source, task.number, position)
            for task in running
            for source, position in task.positions().items()
        )

    @property
    def _numbers(self) -> list[int]:
        return list(range(self.broker.partitions[self._topics.charges]))

    def _has_more(self, source: str, number: int, position: int) -> bool:
        return bool(self.broker.logs[self._topic_of(source), number].committed(position))

    def _topic_of(self, source: str) -> str:
        topics = self._topics
        names = {
            CHARGES: topics.charges,
            DISPUTES: topics.disputes,
            OUTCOMES: topics.outcomes,
            BY_MERCHANT: topics.by_merchant,
            BY_ENTITY: topics.by_entity,
        }
        return names[source]

    def _state(self) -> str:
        return (
            f"group {dict(self.broker.group.assignment)}, offsets {self.broker.group.offsets}, "
            f"open transactions {self.broker.transactions.open}, "
            f"tasks {[list(worker.tasks) for worker in self._workers]}"
        )

    def _add_worker(self) -> None:
        worker = Worker(
            f"worker-{len(self._workers)}",
            self.broker,
            self._faults,
            self._new_pipeline,
            is_static=self._is_static,
        )
        self._workers.append(worker)
        self._supervise(worker)

    def _supervise(self, worker: Worker) -> None:
        """Start a worker, now and whenever it has ended."""
        if not worker.runs:
            if not self._faults.are_over:
                worker.disk.draw_damage(self._random)
            worker.start()
        again_s = _RESTART_S * (0.1 + self._random.random())
        self.scheduler.later(again_s, partial(self._supervise, worker))

    def _new_pipeline(
        self, clients: Clients, open_store: Callable[[int], Store], name: str
    ) -> Pipeline:
        instance_id = name if self._is_static else ""
        if self._variant.is_real:
            settings = msgspec.structs.replace(
                SETTINGS,
                worker_id=name,
                instance_id=instance_id,
                max_batch=self._settings.max_batch,
            )
            return real_pipeline(settings, clients, open_store)
        own = replace(self._settings, instance_id=instance_id)
        return CountingPipeline(own, self._topics, clients, open_store, name)
