"""The log of calls: a line each, in the form of other lines, at a fraction of their cost."""

from __future__ import annotations

import logging
import time
from typing import Final

access_log: Final = logging.getLogger("chargewatch.api")


class AccessFormatter(logging.Formatter):
    """Formats lines of the log of calls, in which nothing is a client's, so nothing to be masked.

    Examples
    --------
    >>> record = logging.LogRecord("chargewatch.api", 20, "", 0, "%s 200", ("GET /",), None)
    >>> record.created, record.msecs = 1.75e9, 7.0
    >>> AccessFormatter().format(record).partition(",")[2]
    '007 INFO chargewatch.api: GET / 200'
    """

    def __init__(self) -> None:
        super().__init__()
        self._second, self._written = 0, ""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        second = int(record.created)
        if second != self._second:
            self._second = second
            self._written = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
        return (
            f"{self._written},{record.msecs:03.0f} {record.levelname} {record.name}: "
            f"{record.getMessage()}"
        )


def setup_access_log() -> None:
    """Write the lines of calls to stderr by themselves; the web server's own say nothing more."""
    handler = logging.StreamHandler()
    handler.setFormatter(AccessFormatter())
    access_log.addHandler(handler)
    access_log.propagate = False
    for library in ("uvicorn", "uvicorn.error"):
        logging.getLogger(library).setLevel(logging.ERROR)
