"""How far the workers are behind, as this replica sees it: whether a score can come in time.

Every charge that the brokers have is waited for, answered or not. Charges of a partition are scored
in order, so a new one comes no sooner than after those before it.
"""

from __future__ import annotations

from collections import defaultdict
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from agents.web.api.memory import Key

FORGOTTEN_AFTER_S: Final = 900.0
"""A charge that workers reject is never scored."""


class _Partition:
    """The charges of a partition that are not scored yet, the oldest first, and the latest score.

    `latest_s` is how long the latest scored one took, and `scored_until` when it was sent.
    """

    def __init__(self) -> None:
        self.sent: dict[Key, float] = {}
        self.latest_s = 0.0
        self.scored_until = -inf


class _Sent(NamedTuple):
    partition: int
    at: float


class Lag:
    """The charges that this replica has sent and that are not scored yet.

    Times are seconds of any clock that does not go back.

    Examples
    --------
    >>> lag = Lag()
    >>> lag.sent(("card", "c1"), 0, at=10.0)
    >>> lag.expected_s(0, now=10.5)
    0.5
    >>> lag.scored(("card", "c1"), now=11.0)
    >>> lag.expected_s(0, now=12.0)
    0.0
    """

    def __init__(self) -> None:
        self._partitions: defaultdict[int, _Partition] = defaultdict(_Partition)
        self._of: dict[Key, _Sent] = {}

    def __len__(self) -> int:
        return len(self._of)

    def sent(self, key: Key, partition: int, at: float) -> None:
        """Take a charge that the brokers have; `at` is when it was sent."""
        found = self._partitions[partition]
        self._of[key] = _Sent(partition, at)
        found.sent[key] = at
        oldest = next(iter(found.sent))
        if found.sent[oldest] < at - FORGOTTEN_AFTER_S:
            self._of.pop(oldest, None)
            del found.sent[oldest]

    def scored(self, key: Key, now: float) -> None:
        """Take a scored charge, if it is one of this replica."""
        sent = self._of.pop(key, None)
        if sent is None:
            return
        found = self._partitions[sent.partition]
        found.sent.pop(key, None)
        found.latest_s = now - sent.at
        found.scored_until = max(found.scored_until, sent.at)

    def expected_s(self, partition: int, now: float) -> float:
        """Return how long a charge of a partition has to wait for its score, at the least.

        As long as the latest one did, or as long as the oldest one waits by now; one that others
        have overtaken tells nothing. Nothing is expected where nothing waits.
        """
        found = self._partitions[partition]
        if not found.sent:
            return 0.0
        waiting = next((at for at in found.sent.values() if at > found.scored_until), now)
        return max(found.latest_s, now - waiting)
