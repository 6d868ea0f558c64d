"""The group's offsets, once every transaction that carries them is decided."""

import logging
from collections.abc import Sequence
from contextlib import closing
from threading import Event

from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.clients import Clients
from streams.restore import RestoreStoppedError

logger = logging.getLogger(__name__)

_ANSWER_S = 2.0  # after which it is asked again


def decided_offsets(
    clients: Clients,
    group: str,
    partitions: Sequence[TopicPartition],
    decided_after_s: float,
    stop: Event,
) -> list[int]:
    """Return the group's offset of each partition, negative where it has none.

    Waits for transactions that carry offsets of these partitions, so that what an earlier owner has
    committed is in its changelog when this returns. A broker may lose sight of such a transaction's
    end when it is restarted (seen with Kafka 4.4.0), and hold the offsets back for good. They are
    taken as they are once it has done so for longer than any transaction lasts: then all are
    decided, and the changelog has their markers or awaits them.

    Parameters
    ----------
    clients
        Makes the clients that ask; they never join the group.
    group
        The consumer group.
    partitions
        Whose offsets.
    decided_after_s
        Seconds after which every transaction has ended.
    stop
        Set it to give up.

    Raises
    ------
    RestoreStoppedError
        When it was stopped.
    """
    waiting = clients.patience.waiting()
    held_since: float | None = None
    with (
        closing(_client(clients, group, "read_committed")) as decided,
        closing(_client(clients, group, "read_uncommitted")) as undecided,
    ):
        while True:
            try:
                return _offsets(decided, partitions)
            except KafkaException as exception:
                waiting.bear(exception)
            if stop.is_set():
                raise RestoreStoppedError(f"offsets of {_names(partitions)}")
            try:
                offsets = _offsets(undecided, partitions)
            except KafkaException as exception:  # the group does not answer at all
                waiting.bear(exception)
                held_since = None
                continue
            now = clients.clock()
            held_since = now if held_since is None else held_since
            if now - held_since > decided_after_s:
                logger.warning(
                    "the broker holds the offsets of %s back, though every transaction has ended",
                    _names(partitions),
                )
                return offsets


def _client(clients: Clients, group: str, isolation: str) -> Consumer:
    return clients.consumer(
        {"group.id": group, "enable.auto.commit": False, "isolation.level": isolation}
    )


def _offsets(consumer: Consumer, partitions: Sequence[TopicPartition]) -> list[int]:
    found = consumer.committed(list(partitions), timeout=_ANSWER_S)
    return [partition.offset for partition in found]


def _names(partitions: Sequence[TopicPartition]) -> str:
    return ", ".join(f"{partition.topic}[{partition.partition}]" for partition in partitions)
