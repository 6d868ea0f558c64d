"""Questions to the read model, each in a thread beside the event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from agents.web.read_model.database import has_reached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Connection

    from agents.web.console.recorder import Place
    from agents.web.read_model.database import ReadModel

Found = TypeVar("Found")

_LOOK_EVERY_S: Final = 0.02
_PATIENCE_S: Final = 3.0


class Reader(Protocol):
    """Asks the read model."""

    async def run(self, ask: Callable[[Connection], Found]) -> Found:
        """Return the answer to a question; raises `ReadModelError` where there is none."""

    async def reached(self, places: Iterable[Place]) -> bool:
        """Wait a while until what was just written can be seen; return whether it can."""


class DatabaseReader:
    """Asks the database of an installation."""

    def __init__(self, read_model: ReadModel) -> None:
        self._read_model = read_model

    async def run(self, ask: Callable[[Connection], Found]) -> Found:
        """See `Reader.run`."""

        def run() -> Found:
            with self._read_model.reading() as connection:
                return ask(connection)

        return await asyncio.to_thread(run)

    async def reached(self, places: Iterable[Place]) -> bool:
        """See `Reader.reached`."""
        wanted = list(places)
        for _ in range(int(_PATIENCE_S / _LOOK_EVERY_S)):
            if await self.run(lambda connection: _all_reached(connection, wanted)):
                return True
            await asyncio.sleep(_LOOK_EVERY_S)
        return False

    def close(self) -> None:
        """Disconnect."""
        self._read_model.close()


def _all_reached(connection: Connection, places: list[Place]) -> bool:
    return all(has_reached(connection, *place) for place in places)
