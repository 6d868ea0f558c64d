"""How far the workers are behind, as the brokers know it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, TopicPartition
from confluent_kafka.admin import OffsetSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.web.console.link import ConsoleLink

_ANSWER_S = 5.0


class Lag(NamedTuple):
    """How many messages of a topic the workers have not yet taken."""

    topic: str
    partitions: int
    behind: int


class WorkerLag:
    """Asks how far the workers are in their inputs, and where these end.

    Parameters
    ----------
    link
        Of the console.
    group
        Consumer group of the workers.
    """

    def __init__(self, link: ConsoleLink, group: str) -> None:
        self._link = link
        self.group = group

    def lags(self) -> Sequence[Lag]:
        """Return the lag of each input; none while the brokers are away. Blocks.

        Raises
        ------
        KafkaException
            When they do not answer.
        """
        if self._link.is_away:
            return ()
        names, admin = self._link.topics, self._link.admin
        inputs = (
            names.charges, names.disputes, names.outcomes, names.by_entity, names.by_merchant,
        )  # fmt: skip
        numbers = {topic: self._link.clients.partitions(topic) for topic in inputs}
        places = [TopicPartition(topic, p) for topic in inputs for p in range(numbers[topic])]
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        ends = admin.list_offsets(
            dict.fromkeys(places, latest),
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=_ANSWER_S,
        )
        of_group = ConsumerGroupTopicPartitions(self.group, places)
        [asked] = admin.list_consumer_group_offsets([of_group], request_timeout=_ANSWER_S).values()
        done = {(p.topic, p.partition): max(0, p.offset) for p in asked.result().topic_partitions}
        behind = {
            (p.topic, p.partition): end.result().offset - done.get((p.topic, p.partition), 0)
            for p, end in ends.items()
        }
        return [
            Lag(topic, count, sum(max(0, behind[topic, p]) for p in range(count)))
            for topic, count in numbers.items()
        ]
