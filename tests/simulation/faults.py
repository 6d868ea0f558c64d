"""What goes wrong in a schedule: at which step of which process, and what then."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

    from streams.kafka.topics import Topics
    from tests.simulation.broker import Broker
    from tests.simulation.scheduling import Process

logger = logging.getLogger(__name__)

CRASH = "crash"
PAUSE = "pause"
STALL = "stall"
CUT_OFF = "cut off"
FENCE = "fence"
"""The process is killed; all of it rests; only the thread does; the broker is out of its reach; and
another producer of its name comes meanwhile."""

_KINDS = (CRASH, CRASH, CRASH, PAUSE, PAUSE, STALL, CUT_OFF, CUT_OFF, FENCE)
_HOW_MANY = (0, 1, 1, 2, 2, 3, 4)
_SECONDS = (0.1, 1.0, 4.0, 8.0, 14.0)
_FENCE_SECONDS = (0.0, 0.5)
_COUNTDOWN_MAX = 8

BEFORE_CHANGELOG = "1 before the changelog is written"
AFTER_CHANGELOG = "2 after the changelog was written"
AFTER_OFFSETS = "3 after the offsets were sent"
UNANSWERED = "4 after the commit was sent, before its answer"
BEFORE_STORES = "5 after the answer, before the first store is written"
BETWEEN_STORES = "6 between the stores of two tasks"
AFTER_STORES = "7 after the last store was written"
COMMIT = "commit: "
"""Before the steps of the thread in which a commit ends."""

COMMIT_POINTS = (
    BEFORE_CHANGELOG,
    AFTER_CHANGELOG,
    AFTER_OFFSETS,
    UNANSWERED,
    BEFORE_STORES,
    BETWEEN_STORES,
    AFTER_STORES,
)
"""Where a process can be in the commit of `streams.engine.commits.Commits.begin`, beside turns."""


class Coverage:
    """Counts what schedules have met.

    Attributes
    ----------
    crashes
        By the point of the commit.
    faults
        By kind.
    orphans
        How often a group was left with tasks that nobody had.
    """

    def __init__(self) -> None:
        self.crashes: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.orphans = 0

    def __add__(self, other: Coverage) -> Coverage:
        both = Coverage()
        both.crashes = self.crashes + other.crashes
        both.faults = self.faults + other.faults
        both.orphans = self.orphans + other.orphans
        return both


class Fault(NamedTuple):
    """What happens at a step, or at a point of the commit, and for how long."""

    step: str
    kind: str
    seconds: float = 0.0


class Faults:
    """The faults of one schedule.

    Parameters
    ----------
    random
        Draws them.
    topics
        Names of the topics, which are in the names of steps.
    broker
        What processes are cut off from, and fenced by.
    certain
        Faults that no chance decides about.
    coverage
        Counts them.

    Attributes
    ----------
    are_over
        Whether nothing goes wrong any more.
    """

    def __init__(
        self,
        random: Random,
        topics: Topics,
        broker: Broker,
        certain: Iterable[Fault],
        coverage: Coverage,
    ) -> None:
        self.are_over = False
        self._random = random
        self._broker = broker
        self._coverage = coverage
        self._changelog = f"{COMMIT}before {topics.changelog}"
        self._armed: dict[str, list[tuple[int, Fault]]] = {}
        self._commits: dict[Process, _Commit] = {}
        steps = _steps(topics)
        for fault in certain:
            self._arm(0, fault)
        for _ in range(random.choice(_HOW_MANY)):
            self._arm(int(_COUNTDOWN_MAX * random.random() ** 2), self._draw(steps))

    def on_step(self, process: Process, step: str) -> None:
        """Let happen what is to happen at a step."""
        commit = self._commits.get(process)
        if commit is None:
            commit = self._commits[process] = _Commit(self._changelog)
        was_at = commit.point
        commit.note(step)
        if not self.are_over:
            if step in self._armed:
                self._count_down(process, step)
            if commit.point != was_at and commit.point in self._armed:
                self._count_down(process, commit.point)

    def _draw(self, steps: tuple[str, ...]) -> Fault:
        kind = self._random.choice(_KINDS)
        seconds = self._random.choice(_FENCE_SECONDS if kind == FENCE else _SECONDS)
        return Fault(self._random.choice(steps), kind, seconds)

    def _arm(self, countdown: int, fault: Fault) -> None:
        self._armed.setdefault(fault.step, []).append((countdown, fault))

    def _count_down(self, process: Process, step: str) -> None:
        left, fault = self._armed[step].pop()
        if left:
            self._armed[step].append((left - 1, fault))
            return
        if not self._armed[step]:
            del self._armed[step]
        self._strike(process, fault)

    def _strike(self, process: Process, fault: Fault) -> None:
        logger.info("%s: %s for %s s at: %s", process.name, fault.kind, fault.seconds, fault.step)
        self._coverage.faults[fault.kind] += 1
        if fault.kind == CRASH:
            if point := self._commits[process].point:
                self._coverage.crashes[point] += 1
            process.kill()
        elif fault.kind == PAUSE:
            process.pause(fault.seconds)
            process.wait(lambda: True, 0.0)
        elif fault.kind == STALL:
            process.wait(lambda: False, fault.seconds)
        else:
            self._broker.cut_off(process, fault.seconds)
            if fault.kind == FENCE:
                self._broker.fence(process.name)


class _Commit:
    """How far the commit of a process is, told from the steps of its threads.

    Attributes
    ----------
    point
        The last of `COMMIT_POINTS` that it has reached, empty between two commits.
    """

    def __init__(self, changelog: str) -> None:
        self.point = ""
        self._changelog = changelog
        self._tasks = 0
        self._written = 0

    def note(self, step: str) -> None:
        """Follow a step."""
        if step == self._changelog:
            if self.point != BEFORE_CHANGELOG:
                self.point = BEFORE_CHANGELOG
                self._tasks = self._written = 0
            self._tasks += 1
        elif step in ("before offsets", f"{COMMIT}before offsets"):
            self.point = AFTER_CHANGELOG
        elif step in ("after offsets", f"{COMMIT}after offsets"):
            self.point = AFTER_OFFSETS
        elif step == f"{COMMIT}after commit":
            self.point = UNANSWERED
        elif step == f"{COMMIT}before store write":
            self.point = BETWEEN_STORES if self._written else BEFORE_STORES
        elif step == f"{COMMIT}after store write":
            self._written += 1
            self.point = AFTER_STORES if self._written == self._tasks else BETWEEN_STORES
        elif step == "before abort" or (step == "poll" and self.point == AFTER_STORES):
            self.point = ""


def _steps(topics: Topics) -> tuple[str, ...]:
    """Return where something may happen; a commit is where most can go wrong."""
    of_a_commit = (
        *COMMIT_POINTS,
        *(f"{COMMIT}{step}" for step in (f"after {topics.changelog}", "flush", "before commit")),
    )
    of_a_restore = ("committed", "watermarks", "before store write", "after store write", "consume")
    return (
        *of_a_commit,
        *of_a_commit,
        *(f"restore: {step}" for step in of_a_restore),
        f"before {topics.by_merchant}",
        f"after {topics.scored}",
        "produce",
        "poll",
        "consume",
        "begin",
        "assign",
        "revoke",
        "lose",
        "incremental_assign",
        "incremental_unassign",
        "seek",
        "before abort",
        "after abort",
        "before init",
        "after init",
        "close",
        "list_topics",
    )
