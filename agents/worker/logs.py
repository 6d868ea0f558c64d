"""Logging of a worker: one line an event on stderr, without card numbers and control characters."""

import logging
import logging.config
from typing import Any

from schemas.card_numbers import mask
from schemas.printable import printable, printable_lines
from streams.errors import OperationalError


class LineFormatter(logging.Formatter):
    """Formats a record without card numbers or what a terminal acts upon, its traceback as well.

    An error that an operator can do something about has no traceback: its message tells the way
    out.

    Examples
    --------
    >>> record = logging.LogRecord("n", 30, "", 0, "got %s", ("4242424242424242",), None)
    >>> LineFormatter("%(levelname)s %(message)s").format(record)
    'WARNING got ****************'
    """

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        return printable_lines(mask(super().format(record)))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 # as below
        """See `logging.Formatter.formatMessage`; the message is one line."""
        return printable(super().formatMessage(record))

    def formatException(self, info: Any) -> str:  # noqa: N802 # the base class names it so
        """See `logging.Formatter.formatException`."""
        return "" if isinstance(info[1], OperationalError) else super().formatException(info)


def setup_logging(level: str) -> None:
    """Log to stderr from a level on; Faust's and Kafka's own news only from warnings on."""
    libraries = level.upper() if level in {"debug", "error"} else "WARNING"
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "line": {
                    "()": LineFormatter,
                    "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"level": level.upper(), "handlers": ["stderr"]},
            "loggers": {
                name: {"level": libraries}
                for name in ("aiohttp", "asyncio", "faust", "mode", "kafka", "numba")
            },
        }
    )
