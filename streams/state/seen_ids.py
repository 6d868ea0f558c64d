"""Ids that may come again, kept on disk until nobody has to know them any more."""

from collections.abc import Sequence

from streams.state.tables import Table

_PERIOD_S_MIN = 3600.0
_PERIOD_BYTES = 4


class SeenIds:
    """Ids under the time at which they came, in periods that are forgotten as a whole.

    Parameters
    ----------
    table
        Where they are kept, with a value each.
    span_s
        For how long an id has to be found, seconds.

    Examples
    --------
    >>> from streams.state.store import MemoryStore
    >>> table = Table(MemoryStore(), b"s")
    >>> seen = SeenIds(table, span_s=86_400.0)
    >>> seen.put(b"charge-hash-of16", 1.7e9, b"value")
    >>> seen.find([b"charge-hash-of16", b"another-charge16"], [1.7e9, 1.7e9], [1.7e9, 1.7e9])
    [[b'value'], []]
    >>> seen.forget_before(1.7e9 + 3 * 86_400.0)
    >>> len(table.dropped)
    1
    """

    def __init__(self, table: Table, span_s: float) -> None:
        self._table = table
        self._period_s = max(span_s, _PERIOD_S_MIN)
        self._forgotten = 0

    def find(
        self, ids: Sequence[bytes], earliest: Sequence[float], latest: Sequence[float]
    ) -> list[list[bytes]]:
        """Return the values of each id, of all periods between two times."""
        sought = [
            (i, self._key(period) + ids[i])
            for i in range(len(ids))
            for period in range(self._period(earliest[i]), self._period(latest[i]) + 1)
        ]
        found: list[list[bytes]] = [[] for _ in ids]
        values = self._table.get_many([key for _, key in sought])
        for (i, _), value in zip(sought, values, strict=True):
            if value is not None:
                found[i].append(value)
        return found

    def put(self, seen: bytes, at: float, value: bytes) -> None:
        """Keep an id that came at a time; its earlier values of the period stay before this one."""
        key = self._key(self._period(at)) + seen
        self._table.put(key, (self._table.get(key) or b"") + value)

    def forget_before(self, now: float) -> None:
        """Forget, once a new period begins, what came more than a whole span before it."""
        period = self._period(now) - 1
        if period > self._forgotten:
            self._table.drop(self._key(0), self._key(period))
            self._forgotten = period

    def reload(self) -> None:
        """Take back what was forgotten since the last commit."""
        self._forgotten = 0

    def _period(self, time: float) -> int:
        return max(int(time // self._period_s), 0)

    @staticmethod
    def _key(period: int) -> bytes:
        return period.to_bytes(_PERIOD_BYTES, "big")
