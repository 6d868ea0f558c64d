"""Times on the command line."""

from datetime import UTC, datetime
from math import isfinite, nan
from time import time as clock

import click


class Time(click.ParamType):
    """Unix seconds, an ISO 8601 date or time, or `now`; without an offset it is UTC.

    >>> Time().convert("2018-05-15", None, None)
    1526342400.0
    >>> Time().convert("2018-05-15T02:00+02:00", None, None)
    1526342400.0
    >>> Time().convert("1526342400.5", None, None)
    1526342400.5
    """

    name = "time"

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return Unix seconds."""
        text = str(value)
        try:
            seconds = _seconds(text)
        except ValueError:
            seconds = nan
        if not isfinite(seconds):
            self.fail(f"expected Unix seconds or a date such as 2018-05-15, got {text}", param, ctx)
        return seconds


def _seconds(text: str) -> float:
    if text == "now":
        return clock()
    try:
        return float(text)
    except ValueError:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
