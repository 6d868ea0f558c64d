"""How far the read model is built, on stderr."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from agents.terminal.progress import progress_of_events

if TYPE_CHECKING:
    from types import TracebackType

logger = logging.getLogger(__name__)


class BuildingProgress:
    """A bar while it is behind; a line in the log when it is up to date."""

    def __init__(self) -> None:
        self._bar = ExitStack()
        self._show = self._bar.enter_context(progress_of_events())
        self._began = time.monotonic()
        self._is_behind = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()

    def tell(self, done: int, of: int) -> None:
        """Take how many messages have been read, of how many that were there at the start."""
        if not self._is_behind:
            return
        self._show("read model", done, of)
        if done >= of:
            self._is_behind = False
            self._bar.close()
            took_s = time.monotonic() - self._began
            logger.info("the read model is up to date: %d messages in %.1f s", of, took_s)
