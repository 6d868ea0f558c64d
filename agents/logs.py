"""Logging of a worker: one line an event on stderr, without card numbers."""

import logging
import logging.config

from schemas.card_numbers import mask


class MaskingFormatter(logging.Formatter):
    """Formats a record, traceback included, and masks what looks like a card number.

    Examples
    --------
    >>> record = logging.LogRecord("n", 30, "", 0, "got %s", ("4242424242424242",), None)
    >>> MaskingFormatter("%(levelname)s %(message)s").format(record)
    'WARNING got ****************'
    """

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        return mask(super().format(record))


def setup_logging(level: str) -> None:
    """Log to stderr from a level on; Faust's and Kafka's own news only from warnings on."""
    libraries = level.upper() if level in {"debug", "error"} else "WARNING"
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "line": {
                    "()": MaskingFormatter,
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
