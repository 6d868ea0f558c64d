"""What an application brings to the engine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from streams.engine.task import Task
from streams.formats.payloads import Payloads
from streams.layouts.layout import Layout
from streams.state.store import Store


class Observer(Protocol):
    """Hears what becomes of the work."""

    def sealed(self) -> None:
        """Note that all work not in a commit yet is in the one that begins."""

    def committed(self) -> None:
        """Note that what was sealed counts; called in the thread of the commit."""

    def undone(self) -> None:
        """Note that all work that did not count, sealed or not, has been undone."""


@dataclass(frozen=True, slots=True)
class TaskFactory:
    """How the tasks of an application are made.

    Attributes
    ----------
    open_store
        Opens the local store of a task by its number.
    new_task
        Puts a task together above its restored store.
    """

    open_store: Callable[[int], Store]
    new_task: Callable[[int, Store], Task]


@dataclass(frozen=True, slots=True)
class Application:
    """What runs on the engine.

    Attributes
    ----------
    factory
        Makes the tasks.
    observer
        Hears of commits.
    layouts
        Those in which frames may be, by number.
    payloads
        Reads the payloads of the inputs, where they may be other than plain JSON.
    """

    factory: TaskFactory
    observer: Observer
    layouts: Mapping[int, Layout]
    payloads: Payloads | None = None
