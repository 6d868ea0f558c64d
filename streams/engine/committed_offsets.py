"""The committed offsets of a group, once every transaction that carries them has ended."""

import logging
import math
from collections.abc import Sequence
from threading import Event

from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.engine.restore import RestoreStoppedError
from streams.kafka.access import Right, raise_if_refused
from streams.kafka.clients import Clients

logger = logging.getLogger(__name__)

_ANSWER_S = 2.0  # after which it is asked again
_UNSEEN_S = 10.0
"""Without an answer for so long, the broker may have been away."""


class GroupOffsets:
    """Client for the offsets of a group, which it does not join.

    Parameters
    ----------
    clients
        Makes the clients that ask.
    group
        The consumer group.
    transactions_end_after_s
        Seconds after which every transaction has ended.
    """

    def __init__(self, clients: Clients, group: str, transactions_end_after_s: float) -> None:
        self._clients = clients
        self._group = group
        self._transactions_end_after_s = transactions_end_after_s
        self._askers: dict[str, Consumer] = {}
        self._answers_since = self._answered_at = -math.inf

    def committed_offsets(
        self, partitions: Sequence[TopicPartition], since: float, stop: Event
    ) -> list[int]:
        """Return the committed offset of the group in each partition, negative where it has none.

        Waits for transactions that carry offsets of these partitions, so that what an earlier owner
        has committed is in its changelog when this returns. A broker may lose sight of such a
        transaction's end when it is restarted (seen with Kafka 4.4.0), and hold the offsets back
        for good. They are taken as they are once it has done so for longer than any transaction
        lasts: then all have ended, and the changelog has their markers or awaits them. Tasks that
        come together wait together: what holds their offsets was begun by their earlier owners.

        Parameters
        ----------
        partitions
            Whose offsets.
        since
            When these partitions were assigned here, seconds of the clients' clock.
        stop
            Set it to give up.

        Raises
        ------
        RestoreStoppedError
            When it was stopped.
        """
        has_failed = False
        waiting = self._clients.retry.waiting()
        try:
            while True:
                try:
                    return self._ask("read_committed", partitions)
                except KafkaException as exception:
                    has_failed = True
                    waiting.wait_out(exception)
                if stop.is_set():
                    raise RestoreStoppedError(f"offsets of {_names(partitions)}")
                try:
                    offsets = self._ask("read_uncommitted", partitions)
                except KafkaException as exception:  # the group does not answer at all
                    waiting.wait_out(exception)
                    self._answered_at = -math.inf
                    continue
                answered_s = self._answered_at - max(since, self._answers_since)
                if answered_s > self._transactions_end_after_s:
                    logger.warning(
                        "the broker holds the offsets of %s back, though all transactions ended",
                        _names(partitions),
                    )
                    return offsets
        finally:
            if has_failed:
                self.close()  # a client may have lost sight of the coordinator

    def beginnings(self, partitions: Sequence[TopicPartition]) -> list[int]:
        """Return the first offset that there is of each partition."""
        asker = self._asker("read_committed")
        ask = self._clients.retry.ask
        return [
            ask(lambda p=partition: asker.get_watermark_offsets(p, timeout=_ANSWER_S))[0]  # type: ignore[misc]
            for partition in partitions
        ]

    def close(self) -> None:
        """Close the clients."""
        while self._askers:
            self._askers.popitem()[1].close()

    def _ask(self, isolation: str, partitions: Sequence[TopicPartition]) -> list[int]:
        try:
            found = self._asker(isolation).committed(list(partitions), timeout=_ANSWER_S)
        except KafkaException as exception:
            needed = Right("Read", "group", self._group)
            raise_if_refused(exception.args[0], self._clients.config, needed)
            raise
        now = self._clients.clock()
        if now - self._answered_at > _UNSEEN_S:
            self._answers_since = now
        self._answered_at = now
        return [partition.offset for partition in found]

    def _asker(self, isolation: str) -> Consumer:
        """Return a client that is kept, and fetches nothing, so that answers come at once."""
        if isolation not in self._askers:
            self._askers[isolation] = self._clients.consumer(
                {
                    "group.id": self._group,
                    "enable.auto.commit": False,
                    "isolation.level": isolation,
                }
            )
        return self._askers[isolation]


def _names(partitions: Sequence[TopicPartition]) -> str:
    return ", ".join(f"{partition.topic}[{partition.partition}]" for partition in partitions)
