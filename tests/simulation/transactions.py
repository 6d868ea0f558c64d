"""The transaction coordinator of the simulated broker: epochs, fencing, timeouts, markers.

A transaction ends in two steps, as on a real one: the coordinator decides, and then each partition
gets its marker, in any order and a while apart. Readers of one partition may so see a transaction
that those of another do not see yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError

from tests.simulation.errors import error
from tests.simulation.partition_log import State

if TYPE_CHECKING:
    from tests.simulation.groups import Group, Member, Offsets
    from tests.simulation.partition_log import PartitionLog
    from tests.simulation.scheduling import Scheduler

_MARKERS_S, _SLOW_MARKERS_S, _SLOW_SHARE = 0.005, 2.0, 0.2
"""Seconds that the markers of a transaction take at the most; those that some take, how often."""

_SCAN_S = 3.0
"""How late a transaction that has timed out is noticed at the most."""


class ConcurrentTransactionsError(Exception):
    """The earlier transaction is still being ended; the client asks again by itself."""


@dataclass(slots=True)
class Transactional:
    """What the coordinator knows of a transactional id."""

    producer_id: int
    timeout_s: float
    epoch: int = -1
    number: int = 0
    """Counts its transactions, so that the timeout of one does not meet the next."""
    logs: list[PartitionLog] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    decided: State | None = None
    """What the running transaction ends with, once that is decided."""

    @property
    def is_open(self) -> bool:
        """Whether a transaction has begun and not ended everywhere."""
        return bool(self.logs or self.groups)


class Coordinator:
    """Coordinates the transactions of all producers.

    Parameters
    ----------
    scheduler
        Its clock and its chance.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._by_id: dict[str, Transactional] = {}

    @property
    def open(self) -> list[str]:
        """Transactional ids with a transaction that has not ended everywhere."""
        return [name for name, known in self._by_id.items() if known.is_open]

    def init(self, transactional_id: str, timeout_s: float) -> tuple[int, int]:
        """Fence what has this id, abort its transaction, and return a producer id and an epoch.

        Raises
        ------
        ConcurrentTransactionsError
            While an earlier transaction is being ended.
        """
        known = self._by_id.setdefault(transactional_id, Transactional(len(self._by_id), timeout_s))
        known.timeout_s = timeout_s
        if known.is_open:
            if known.decided is None:
                self._time_out(known)
            raise ConcurrentTransactionsError
        known.epoch += 1
        return known.producer_id, known.epoch

    def add_log(self, transactional_id: str, epoch: int, log: PartitionLog) -> None:
        """Note a partition that a transaction writes to."""
        known = self._running(transactional_id, epoch)
        if log not in known.logs:
            self._begin(known)
            known.logs.append(log)

    def add_offsets(
        self, transactional_id: str, epoch: int, group: Group, member: Member, offsets: Offsets
    ) -> None:
        """Note offsets that a transaction commits for a member of a group."""
        known = self._running(transactional_id, epoch)
        self._begin(known)
        if group not in known.groups:
            known.groups.append(group)
        group.check(member, in_transaction=True)
        group.add_pending(known.producer_id, offsets)

    def end(self, transactional_id: str, epoch: int, state: State) -> None:
        """Decide a transaction; asked again for what is decided already, it agrees."""
        known = self._by_id[transactional_id]
        _check_epoch(known, epoch)
        if known.is_open and known.decided is None:
            self._decide(known, state)

    def _running(self, transactional_id: str, epoch: int) -> Transactional:
        known = self._by_id[transactional_id]
        _check_epoch(known, epoch)
        if known.decided is not None:
            raise ConcurrentTransactionsError
        return known

    def _begin(self, known: Transactional) -> None:
        if not known.is_open:
            known.number += 1
            number = known.number
            self._scheduler.later(
                known.timeout_s + _SCAN_S * self._scheduler.random.random(),
                lambda: (
                    self._time_out(known)
                    if known.number == number and known.is_open and known.decided is None
                    else None
                ),
            )

    def _time_out(self, known: Transactional) -> None:
        known.epoch += 1
        self._decide(known, State.ABORTED)

    def _decide(self, known: Transactional, state: State) -> None:
        known.decided = state
        chance = self._scheduler.random
        slow_s = _SLOW_MARKERS_S if chance.random() < _SLOW_SHARE else _MARKERS_S
        for log in list(known.logs):
            self._scheduler.later(slow_s * chance.random(), lambda log=log: self._mark(known, log))  # type: ignore[misc]
        for group in list(known.groups):
            self._scheduler.later(
                slow_s * chance.random(),
                lambda group=group: self._settle(known, group),  # type: ignore[misc]
            )

    def _mark(self, known: Transactional, log: PartitionLog) -> None:
        assert known.decided is not None
        log.mark(known.producer_id, known.decided)
        known.logs.remove(log)
        self._end_if_done(known)

    def _settle(self, known: Transactional, group: Group) -> None:
        group.settle(known.producer_id, is_committed=known.decided is State.COMMITTED)
        known.groups.remove(group)
        self._end_if_done(known)

    def _end_if_done(self, known: Transactional) -> None:
        if not known.is_open:
            known.decided = None


def _check_epoch(known: Transactional, epoch: int) -> None:
    if known.epoch != epoch:
        raise error(KafkaError._FENCED, "an older epoch", fatal=True)
