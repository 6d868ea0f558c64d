"""The simulated broker: topics, transactions and one consumer group behind one address."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tests.simulation.groups import Group
from tests.simulation.partition_log import PartitionLog, Record
from tests.simulation.transactions import ConcurrentTransactionsError, Coordinator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.simulation.scheduling import Process, Scheduler


logger = logging.getLogger(__name__)

_TWIN_TIMEOUT_S = 10.0
_AGAIN_S = 0.01
_STARTS_S = 0.5


class Broker:
    """A broker that keeps everything, and can be away for a while.

    Parameters
    ----------
    scheduler
        Its clock and its chance.
    topics
        Partitions of each topic.
    group_topic
        The topic that the consumer group shares out.
    """

    def __init__(self, scheduler: Scheduler, topics: Mapping[str, int], group_topic: str) -> None:
        self.scheduler = scheduler
        self.logs = {
            (topic, number): PartitionLog()
            for topic, count in topics.items()
            for number in range(count)
        }
        self.partitions = dict(topics)
        self.group = Group(scheduler, topics[group_topic], lambda: self.is_up)
        self.transactions = Coordinator(scheduler)
        self._away_until = 0.0
        self._cut_off_until: dict[Process, float] = {}

    @property
    def is_up(self) -> bool:
        """Whether it answers at all."""
        return self.scheduler.now >= self._away_until

    @property
    def is_starting(self) -> bool:
        """Whether it is back from being away, but does not lead every partition yet."""
        return 0.0 < self._away_until <= self.scheduler.now < self._away_until + _STARTS_S

    @property
    def is_stable(self) -> bool:
        """Whether no transaction is open or being ended."""
        return not self.transactions.open and all(log.is_stable for log in self.logs.values())

    def answers(self, process: Process) -> bool:
        """Tell whether a process reaches it now."""
        return self.is_up and self.scheduler.now >= self._cut_off_until.get(process, 0.0)

    def go_away(self, seconds: float) -> None:
        """Be restarted, which takes a while."""
        logger.info("the broker is away for %s s", seconds)
        self._away_until = max(self._away_until, self.scheduler.now + seconds)
        self.scheduler.later(seconds, self.group.extend_sessions)

    def cut_off(self, process: Process, seconds: float) -> None:
        """Let a process not reach it for a while."""
        self._cut_off_until[process] = self.scheduler.now + seconds

    def fence(self, transactional_id: str) -> None:
        """Let another producer of the same id come, and go."""
        try:
            self.transactions.init(transactional_id, _TWIN_TIMEOUT_S)
        except ConcurrentTransactionsError:
            self.scheduler.later(_AGAIN_S, lambda: self.fence(transactional_id))

    def committed(self, topic: str) -> list[Record]:
        """Return the committed records of all partitions of a topic, each in its order."""
        return [
            record
            for number in range(self.partitions[topic])
            for record in self.logs[topic, number].committed()
        ]
