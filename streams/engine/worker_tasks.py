"""The tasks of this worker, and what is known of each.

::

    assigned ──▶ restoring ──▶ running ──▶ left
                     ▲          │   ▲
                     │          │   └─── undone: its inputs are fetched again
                     └──────────┴─────── in doubt: it is opened anew

The membership in the group adds and removes tasks, the commits note what becomes of their work, and
the engine acts on it between two batches.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from streams.engine.restore import Progress
from streams.engine.task import Task

Positions = dict[str, int]


@dataclass(frozen=True, slots=True)
class RestoringTask:
    """A task that is opened and restored, and does not run yet.

    Attributes
    ----------
    member_id
        Which member of the group it was given to.
    progress
        How far its restore is.
    opened
        Gives the task, and where it begins.
    """

    member_id: str
    progress: Progress
    opened: Future[tuple[Task, Positions]]


class WorkerTasks:
    """The tasks of this worker.

    Used by one thread; others may look at what runs and what is restored.

    Examples
    --------
    >>> from unittest.mock import Mock
    >>> tasks = WorkerTasks()
    >>> progress = Progress()
    >>> tasks.restore({0: RestoringTask("member-1", progress, Future())})
    >>> tasks.progress, tasks.running
    ({0: Progress(...)}, {})
    >>> tasks.start(Mock(number=0, is_dirty=True, is_sealed=False), {"charges": 7}, "member-1")
    >>> tasks.progress, len(tasks.dirty), len(tasks.in_step)
    ({}, 1, 1)
    >>> tasks.roll_back()
    >>> list(tasks.undone), len(tasks.in_step)
    ([0], 0)
    >>> _ = tasks.remove(0)
    >>> tasks.running, tasks.undone
    ({}, {})
    """

    def __init__(self) -> None:
        self._running: dict[int, Task] = {}
        self._restoring: dict[int, RestoringTask] = {}
        self._undone: dict[int, Positions] = {}
        self._in_doubt: set[int] = set()

    @property
    def running(self) -> Mapping[int, Task]:
        """The tasks that run, by number."""
        return self._running

    @property
    def restoring(self) -> Mapping[int, RestoringTask]:
        """The tasks that do not run yet, by number."""
        return self._restoring

    @property
    def progress(self) -> dict[int, Progress]:
        """How far the tasks are that do not run yet."""
        return {number: task.progress for number, task in list(self._restoring.items())}

    @property
    def dirty(self) -> list[Task]:
        """The tasks that have work for the next commit."""
        return [task for task in self._running.values() if task.is_dirty]

    @property
    def sealed(self) -> list[Task]:
        """The tasks that have work in the commit under way."""
        return [task for task in self._running.values() if task.is_sealed]

    @property
    def undone(self) -> Mapping[int, Positions]:
        """Where to go on fetching for the running tasks whose work was undone, by number."""
        return self._undone

    @property
    def in_doubt(self) -> list[int]:
        """Numbers of the running tasks of which only the changelogs know whether work counts."""
        return list(self._in_doubt)

    @property
    def in_step(self) -> dict[int, Task]:
        """The running tasks whose inputs need not be fetched again, by number."""
        return {n: task for n, task in self._running.items() if n not in self._undone}

    def restore(self, tasks: Mapping[int, RestoringTask]) -> None:
        """Add tasks that are being restored."""
        self._restoring.update(tasks)

    def start(self, task: Task, positions: Positions, member_id: str) -> None:
        """Have a restored task run, from the given offset of each source on."""
        del self._restoring[task.number]
        task.member_id = member_id
        task.start(positions)
        self._running[task.number] = task

    def remove(self, number: int) -> tuple[Task | None, RestoringTask | None]:
        """Forget all about a task; return it if it runs, and what restores it if it does not."""
        self._undone.pop(number, None)
        self._in_doubt.discard(number)
        return self._running.pop(number, None), self._restoring.pop(number, None)

    def roll_back(self) -> None:
        """Return all running tasks to the last commit."""
        for task in self._running.values():
            if task.is_dirty or task.is_sealed:
                self._undone[task.number] = task.roll_back()

    def forget_undone(self) -> None:
        """Note that what was undone is fetched again."""
        self._undone.clear()

    def doubt(self, tasks: Iterable[Task]) -> None:
        """Note that only the changelogs of these tasks know whether their work counts."""
        self._in_doubt.update(task.number for task in tasks)
