"""Lengths of time, in seconds."""

from math import inf

MINUTE_S = 60.0
HOUR_S = 3600.0
DAY_S = 86_400.0


def in_words(seconds: float) -> str:
    """Say a length of time, in the largest unit of which there are two.

    >>> in_words(0.0432), in_words(1.26), in_words(75.0), in_words(150.0), in_words(7200.0)
    ('43 ms', '1.3 s', '75 s', '2.5 minutes', '2 hours')
    >>> in_words(0.0), in_words(900_000.0)
    ('0 s', '10.4 days')
    """
    if 0.0 < seconds < 1.0:
        return f"{1e3 * seconds:.0f} ms"
    units = (
        (2 * MINUTE_S, 1.0, "s"),
        (2 * HOUR_S, MINUTE_S, "minutes"),
        (2 * DAY_S, HOUR_S, "hours"),
        (inf, DAY_S, "days"),
    )
    return next(
        f"{seconds / unit:.1f}".removesuffix(".0") + f" {name}"
        for below, unit, name in units
        if seconds < below
    )
