"""A subscriber of topics whose brokers are not ready for it yet."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.kafka import subscriber
from streams.kafka.access import NotAllowedError
from streams.kafka.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import TopicPartition


class JustMade:
    """A consumer of topics that are known before anybody leads their partitions."""

    def __init__(self, _: object) -> None:
        self.assigned: list[tuple[str, int, int]] = []
        self.refusals = {0: KafkaError.NOT_LEADER_FOR_PARTITION, 1: KafkaError.LEADER_NOT_AVAILABLE}

    def list_topics(self, topic: str, timeout: float) -> Any:
        assert timeout > 0.0
        return SimpleNamespace(topics={topic: SimpleNamespace(partitions=range(3), error=None)})

    def get_watermark_offsets(self, partition: TopicPartition, _: float) -> tuple[int, int]:
        refusal = self.refusals.pop(partition.partition, None)
        if refusal is not None:
            raise KafkaException(KafkaError(refusal))
        return 0, 10 + partition.partition

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self.assigned = [(p.topic, p.partition, p.offset) for p in partitions]


def test_it_begins_at_the_end_of_topics_that_were_just_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscriber, "new_consumer", JustMade)
    begun: Any = Subscriber({}, ["scored"])
    assert begun._consumer.assigned == [("scored", number, 10 + number) for number in range(3)]


def test_what_brokers_refuse_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused(JustMade):
        def __init__(self, config: object) -> None:
            super().__init__(config)
            self.refusals = {1: KafkaError.TOPIC_AUTHORIZATION_FAILED}

    monkeypatch.setattr(subscriber, "new_consumer", Refused)
    with pytest.raises(NotAllowedError, match="--operation Read --topic scored"):
        Subscriber({"bootstrap.servers": "kafka:9093"}, ["scored"])
