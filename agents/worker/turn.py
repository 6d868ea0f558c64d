"""The turn: what a worker does in one cycle of its loop, in which order, and when it commits.

::

    fetch -> card, entity, merchant, learner -> what was rejected, late snapshots
          -> commit, when it is due

It has neither threads nor an event loop: where its parts run is up to whoever drives it. A worker
drives it with `agents.worker.service`, and the simulation of the exactly-once machinery without
waiting for anything.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from streams.engine.inputs import together
from streams.kafka.retry import StoppedError
from streams.kafka.transactional_producer import AbortableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.engine.inputs import Arrived, Told, Work
    from streams.engine.task import Task
    from streams.events.batch import TimedBatch
    from streams.events.rejected import Rejected

    T = TypeVar("T")

logger = logging.getLogger(__name__)

CARD, ENTITY, MERCHANT, LEARNER = AGENTS = ("card", "entity", "merchant", "learner")
"""Names of the agents that compute."""


class Parts(Protocol):
    """What a turn is made of; see `agents.worker.pipeline.Pipeline`."""

    def fetch(self, timeout_s: float, gathering_s: float) -> tuple[Work, Any]:
        """Wait for input and take what is next, and what there is to learn; blocks."""

    def count_cards(
        self, inputs: list[tuple[Task, TimedBatch]]
    ) -> tuple[list[Arrived], list[Told]]:
        """Run the card stage; return what the merchant and the entity stage are handed."""

    def count_entities(self, events: list[Told]) -> list[Arrived]:
        """Run the entity stage; return what the merchant stage is handed."""

    def score(self, frames: list[Arrived]) -> list[Told]:
        """Run the merchant stage; return what the entity stage is handed."""

    def learn(self, lessons: Any) -> None:
        """Learn."""

    def reject(self, rejected: Sequence[Rejected]) -> None:
        """Send inputs that could not be used to their topic."""

    def publish_late(self) -> bool:
        """Send what is late, and return whether anything was."""

    def commit(self) -> None:
        """Begin to make everything since the last commit count; blocks."""

    def abort(self) -> None:
        """Undo everything since the last commit; blocks."""

    def close(self) -> None:
        """Commit and leave; blocks."""


class Driver(Protocol):
    """Runs the parts of a turn, each where it belongs, one at a time."""

    async def block(self, part: Callable[..., T], *arguments: Any) -> T:
        """Run a part that may wait for Kafka."""

    async def hand(self, agent: str, part: Callable[[Any], T], work: Any) -> T:
        """Have an agent run a part, and return what that returned."""


class Turns:
    """Takes turns, one after the other.

    Parameters
    ----------
    parts
        What they are made of.
    driver
        Runs them.
    commit_interval_s
        Time between two commits, seconds.
    idle_poll_s
        How long a turn waits for input while there is nothing to commit, seconds.
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        parts: Parts,
        driver: Driver,
        commit_interval_s: float,
        idle_poll_s: float = 0.05,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._parts = parts
        self._driver = driver
        self._commit_interval_s = commit_interval_s
        self._idle_poll_s = idle_poll_s
        self._clock = clock
        self._committed_at = clock()
        self._has_sent = False

    async def take(self) -> None:
        """Take a turn; undo all since the last commit when it cannot count, or is not finished."""
        try:
            due_s = self._due_s()
            timeout_s = due_s if self._has_sent else self._idle_poll_s
            work, lessons = await self._driver.block(self._parts.fetch, timeout_s, due_s)
            await self._hand_on(work, lessons)
            await self._commit_if_due()
        except AbortableError as error:
            logger.warning("the work since the last commit is done again: %s", error)
            await self._undo()
        except StoppedError as error:
            logger.warning("the last turn is not finished: %s", error)
            with suppress(StoppedError):
                await self._undo()

    async def end(self, *, has_failed: bool) -> None:
        """Commit what is done, unless a turn has failed, and leave."""
        if has_failed:
            await self._undo()
        await self._driver.block(self._parts.close)

    async def _hand_on(self, work: Work, lessons: Any) -> None:
        parts, hand = self._parts, self._driver.hand
        frames, events = list(work.frames), list(work.entities)
        if work.inputs:
            sent_on, scattered = await hand(CARD, parts.count_cards, work.inputs)
            frames, events = frames + sent_on, events + scattered
        if events:
            frames += await hand(ENTITY, parts.count_entities, events)
        if frames and (told := await hand(MERCHANT, parts.score, together(frames))):
            await hand(ENTITY, parts.count_entities, told)
        if lessons:
            await hand(LEARNER, parts.learn, lessons)
        parts.reject(work.rejected)
        published = parts.publish_late()
        self._has_sent = self._has_sent or bool(work or lessons or published)

    async def _commit_if_due(self) -> None:
        if self._has_sent and self._due_s() <= 0.0:
            self._committed_at, self._has_sent = self._clock(), False
            await self._driver.block(self._parts.commit)

    async def _undo(self) -> None:
        await self._driver.block(self._parts.abort)

    def _due_s(self) -> float:
        """Tell how long it is until the next commit, seconds."""
        return max(0.0, self._committed_at + self._commit_interval_s - self._clock())
