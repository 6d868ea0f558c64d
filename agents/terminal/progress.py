"""How far a backtest is, on stderr."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def progress_of_events() -> Iterator[Callable[[str, int, int | None], None]]:
    """Show on stderr what is done, how far it is, and of how much if that is known."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} events"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=None)
        shown = ""

        def show(what: str, done: int, of: int | None) -> None:
            nonlocal shown
            if what != shown:
                shown = what
                progress.reset(task, description=what, total=of)
            progress.update(task, completed=done)

        yield show
