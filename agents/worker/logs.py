"""Logging of a worker: one line an event on stderr, without card numbers and control characters."""

import logging
import logging.config
import signal
from typing import Any, Final

from schemas.card_numbers import mask
from schemas.printable import printable, printable_lines
from streams.errors import OperationalError

logger = logging.getLogger(__name__)

LEVEL_SIGNAL: Final = signal.SIGUSR2
_LIBRARIES: Final = ("aiohttp", "asyncio", "faust", "mode", "kafka", "numba")


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


class LogLevel:
    """What is logged, which a signal switches: everything, or what was set.

    Parameters
    ----------
    level
        Least that is logged, as it is set.
    """

    def __init__(self, level: str) -> None:
        self._level = level

    def set(self) -> None:
        """Log what was set."""
        _set_levels(self._level)

    def switch(self) -> None:
        """Log everything, or again what was set; say which of both."""
        is_debug = logging.getLogger().level != logging.DEBUG
        level = "debug" if is_debug else self._level
        _set_levels(level)
        logger.critical("log level: %s, until the next %s", level, LEVEL_SIGNAL.name)


def setup_logging(level: str) -> LogLevel:
    """Log to stderr from a level on, and have a signal switch that."""
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
            "root": {"handlers": ["stderr"]},
        }
    )
    logging.getLogger("kafka").addFilter(_is_told_here)
    log_level = LogLevel(level)
    log_level.set()
    signal.signal(LEVEL_SIGNAL, lambda *_: log_level.switch())
    return log_level


def _is_told_here(record: logging.LogRecord) -> bool:
    """Leave out each failed connection of each client, of which `Outage` tells now and then."""
    return not record.getMessage().startswith("FAIL ") or logging.root.level <= logging.DEBUG


def _set_levels(level: str) -> None:
    """Log from a level on; Faust's and Kafka's own news only from warnings on."""
    logging.getLogger().setLevel(level.upper())
    libraries = level.upper() if level in {"debug", "error"} else "WARNING"
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(libraries)
