"""What is kept for longer than the changelog keeps a record is written to it again in time.

The changelog forgets what was written 200 days ago, so that what is only dropped from the local
store is not there for ever. A debit can be disputed for longer. Its records are therefore put into
their table once more at every 150 days of age, unchanged: they are written again with the next
commit, and a restore finds them. Those of a day are spread over a day, a minute's share at a time,
whatever their number::

    keys of a day     00.. ------------------------------- ff..
    renewed at        00:00        12:00              24:00      150, 300 ... days later

Keys begin with a period of time and go on with a hash, so a share of the hashes is one of the keys.
"""

from streams.durations import DAY_S, MINUTE_S
from streams.state.tables import AnyTable

RENEWED_S = 150.0 * DAY_S
"""Age at which, and at whose multiples, a record is written again."""

_PERIOD_BYTES, _HASH_BYTES = 4, 8


def renew(table: AnyTable, period_s: float, retention_s: float, before: float, now: float) -> None:
    """Write records again that have reached a multiple of the age since it was last done.

    Parameters
    ----------
    table
        Its keys begin with the number of their period, u4, and a hash, u8, both big-endian.
    period_s
        Length of a period, seconds.
    retention_s
        For how long records are kept, seconds; if that is no longer than the age, there is nothing
        to do.
    before, now
        Stream time when it was last done, and now, Unix seconds.
    """
    first, end = before // MINUTE_S * MINUTE_S, now // MINUTE_S * MINUTE_S
    if first == end:
        return
    age_s = RENEWED_S
    while age_s < retention_s:
        keys = _place(first - age_s, period_s), _place(end - age_s, period_s)
        for key, value in list(table.scan(*keys)):
            table.put(key, value)
        age_s += RENEWED_S


def _place(time: float, period_s: float) -> bytes:
    """Return up to which key records are renewed when those of a time are."""
    period, rest = divmod(max(time, 0.0), period_s)
    share = int(rest / period_s * 2.0**64)
    return int(period).to_bytes(_PERIOD_BYTES, "big") + share.to_bytes(_HASH_BYTES, "big")
