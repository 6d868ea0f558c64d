"""Offsets of the group: waited for while they may change, and no longer than they can."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streams.engine.committed_offsets import GroupOffsets
from streams.engine.restore import RestoreStoppedError
from streams.kafka.clients import Clients
from streams.kafka.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from confluent_kafka import Consumer

ANSWER_S = 2.0
TRANSACTIONS_END_AFTER_S = 30.0
PARTITIONS = [TopicPartition("charges", 1), TopicPartition("disputes", 1)]


class Broker(Clients):
    """A broker that is away, and one that holds offsets back, for as long as it is told to."""

    def __init__(self, away: Sequence[tuple[float, float]] = (), held_until: float = 0.0) -> None:
        super().__init__({})
        self.now = 100.0
        self.retry = RetryPolicy(self.clock, self.rest)
        self.stop = Event()
        self.stop_at = float("inf")
        self._away, self._held_until = away, held_until

    def rest(self, seconds: float) -> None:
        self.now += seconds
        if self.now >= self.stop_at:
            self.stop.set()

    def clock(self) -> float:
        return self.now

    def consumer(self, settings: Mapping[str, object], on_error: object = None) -> Consumer:  # noqa: ARG002
        return cast("Consumer", Asking(self, settings["isolation.level"] == "read_committed"))

    def ask(self, partitions: Sequence[TopicPartition], is_held: bool) -> list[TopicPartition]:
        self.now += 0.1
        is_away = any(since <= self.now < until for since, until in self._away)
        if is_away or (is_held and self.now < self._held_until):
            self.rest(ANSWER_S)
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        at = 7 if self.now < self._held_until else 9
        return [TopicPartition(p.topic, p.partition, at) for p in partitions]


class Asking:
    """A client that asks for offsets."""

    def __init__(self, broker: Broker, is_held: bool) -> None:
        self._broker, self._is_held = broker, is_held

    def committed(
        self, partitions: Sequence[TopicPartition], timeout: float
    ) -> list[TopicPartition]:
        assert timeout == ANSWER_S
        return self._broker.ask(partitions, self._is_held)

    def close(self) -> None:
        pass


def asked(broker: Broker) -> list[int]:
    offsets = GroupOffsets(broker, "group", TRANSACTIONS_END_AFTER_S)
    return offsets.committed_offsets(PARTITIONS, broker.now, broker.stop)


def test_an_open_transaction_is_waited_for() -> None:
    broker = Broker(held_until=115.0)
    assert asked(broker) == [9, 9]
    assert 115.0 < broker.now < 120.0


def test_offsets_held_back_for_longer_than_any_transaction_are_taken_as_they_are() -> None:
    broker = Broker(held_until=1e9)
    assert asked(broker) == [7, 7]
    assert 130.0 < broker.now < 140.0


def test_tasks_that_come_together_wait_together() -> None:
    broker = Broker(held_until=1e9)
    offsets = GroupOffsets(broker, "group", TRANSACTIONS_END_AFTER_S)
    since = broker.now
    for _ in range(3):
        assert offsets.committed_offsets(PARTITIONS, since, broker.stop) == [7, 7]
    assert 130.0 < broker.now < 145.0


def test_a_broker_that_was_away_unseen_is_waited_for_anew() -> None:
    broker = Broker(held_until=1e9)
    offsets = GroupOffsets(broker, "group", TRANSACTIONS_END_AFTER_S)
    since = broker.now
    assert offsets.committed_offsets(PARTITIONS, since, broker.stop) == [7, 7]
    broker.now += 60.0
    asked_at = broker.now
    assert offsets.committed_offsets(PARTITIONS, since, broker.stop) == [7, 7]
    assert broker.now - asked_at > TRANSACTIONS_END_AFTER_S


def test_time_counts_only_while_the_group_answers() -> None:
    broker = Broker(away=[(0.0, 500.0), (515.0, 520.0)], held_until=1e9)
    assert asked(broker) == [7, 7]
    assert 550.0 < broker.now < 560.0


def test_a_task_that_is_taken_away_is_not_waited_for() -> None:
    broker = Broker(held_until=1e9)
    broker.stop_at = 110.0
    with pytest.raises(RestoreStoppedError):
        asked(broker)
    assert broker.now < 116.0
