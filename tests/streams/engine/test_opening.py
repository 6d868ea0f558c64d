"""Where a task goes on that comes to this worker: also where an earlier version ran it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import orjson
import pytest
from confluent_kafka import KafkaError, TopicPartition

from streams.engine.application import TaskFactory
from streams.engine.committed_offsets import GroupOffsets
from streams.engine.group_member import TaskTopics
from streams.engine.opening import TaskOpener
from streams.engine.restore import StateLostError
from streams.engine.task import (
    BY_ENTITY,
    BY_MERCHANT,
    CHARGES,
    DISPUTES,
    LATER_POSITIONS,
    OUTCOMES,
    POSITIONS,
    Task,
)
from streams.kafka.clients import Clients
from streams.kafka.topics import Topics
from streams.state.store import MemoryStore
from streams.state.tables import META, TaskState
from tests.simulation.fetching import Message
from tests.simulation.partition_log import Record, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from confluent_kafka import Consumer

    from streams.engine.standby import Standbys
    from streams.engine.task import Stages

TASK = 3
TOPICS = TaskTopics(Topics())
FIRST_THERE_ARE = {CHARGES: 11, DISPUTES: 12, OUTCOMES: 13, BY_MERCHANT: 14, BY_ENTITY: 15}
LATER = (OUTCOMES, BY_ENTITY)
OF_AN_EARLIER_VERSION = {CHARGES: 100, DISPUTES: 50, BY_MERCHANT: 120}

Offsets = dict[str, int]


class Kafka(Clients):
    """A broker with the changelog of one task, and the offsets of the group."""

    def __init__(self, state: Offsets | None, group: Offsets) -> None:
        super().__init__({})
        self.group = group
        self.changelog: list[Record] = []
        if state is not None:
            first = {source: at for source, at in state.items() if source not in LATER}
            later = {source: at for source, at in state.items() if source in LATER}
            self.changelog = [
                Record(number, META + key, orjson.dumps(told), [], 0, State.COMMITTED)
                for number, (key, told) in enumerate(
                    [(POSITIONS, first), (LATER_POSITIONS, later)][: 2 if later else 1]
                )
            ]

    def consumer(self, settings: Mapping[str, object], on_error: object = None) -> Consumer:  # noqa: ARG002
        return cast("Consumer", Reading(self))


class Reading:
    """A client that reads the changelog to its end, or asks for offsets."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._position = 0

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self._position = max(partitions[0].offset, 0)

    def consume(self, limit: int, timeout: float) -> list[Message]:  # noqa: ARG002
        partition, end = (TOPICS.changelog, TASK), len(self._kafka.changelog)
        records = self._kafka.changelog[self._position :]
        self._position = end
        at_end = Message(partition, end, failure=KafkaError(KafkaError._PARTITION_EOF))
        return [*(Message(partition, record.offset, record) for record in records), at_end]

    def get_watermark_offsets(
        self,
        partition: TopicPartition,
        timeout: float = 0.0,  # noqa: ARG002
        *,
        cached: bool = False,  # noqa: ARG002
    ) -> tuple[int, int]:
        if partition.topic == TOPICS.changelog:
            return 0, len(self._kafka.changelog)
        return FIRST_THERE_ARE[source_of(partition)], 1000

    def committed(
        self,
        partitions: Sequence[TopicPartition],
        timeout: float,  # noqa: ARG002
    ) -> list[TopicPartition]:
        return [
            TopicPartition(p.topic, p.partition, self._kafka.group.get(source_of(p), -1001))
            for p in partitions
        ]

    def close(self) -> None:
        pass


class NoStandbys:
    """No copies of tasks are kept here."""

    def take_over(self, number: int) -> None:
        pass


def source_of(partition: TopicPartition) -> str:
    (source,) = (source for source, topic in TOPICS.inputs.items() if topic == partition.topic)
    return source


def fetched_from(state: Offsets | None, group: Offsets) -> Offsets:
    """Return the offset of each input from which a task is fetched once it is restored."""
    kafka = Kafka(state, group)
    factory = TaskFactory(
        lambda _: MemoryStore(),
        lambda number, store: Task(number, TaskState(store), cast("Stages", None)),
    )
    opener = TaskOpener(
        kafka,
        TOPICS,
        GroupOffsets(kafka, "group", 30.0),
        factory,
        cast("Standbys", NoStandbys()),
    )
    try:
        opening = opener.open([TASK], "member")[TASK]
        task, positions = opening.opened.result(timeout=30.0)
    finally:
        opener.close()
    task.start(positions)
    assert task.positions() == positions
    partitions = TOPICS.at(TASK, positions)
    assert {partition.partition for partition in partitions} == {TASK}
    return {source_of(partition): partition.offset for partition in partitions}


def test_a_task_that_never_ran_begins_at_the_first_messages_there_are() -> None:
    assert fetched_from(None, {}) == FIRST_THERE_ARE


def test_a_task_goes_on_where_its_state_stands() -> None:
    stored = OF_AN_EARLIER_VERSION | {OUTCOMES: 30, BY_ENTITY: 40}
    assert fetched_from(stored, stored) == stored


def test_outcomes_of_a_task_of_an_earlier_version_begin_at_the_first_there_is() -> None:
    """Those published before its workers were replaced count, too."""
    wanted = FIRST_THERE_ARE | OF_AN_EARLIER_VERSION
    assert fetched_from(OF_AN_EARLIER_VERSION, OF_AN_EARLIER_VERSION) == wanted


def test_outcomes_go_on_where_they_stood_after_an_earlier_version_had_the_task() -> None:
    """It leaves their position as it is, and goes on with the others."""
    stored = OF_AN_EARLIER_VERSION | {OUTCOMES: 30, BY_ENTITY: 40}
    assert fetched_from(stored, OF_AN_EARLIER_VERSION) == stored


def test_outcomes_without_a_position_go_on_at_the_offset_of_the_group() -> None:
    """As where an earlier version has had the task that knows outcomes, and no entities."""
    wanted = OF_AN_EARLIER_VERSION | {OUTCOMES: 77, BY_ENTITY: 88}
    assert fetched_from(OF_AN_EARLIER_VERSION, wanted) == wanted


@pytest.mark.parametrize("source", FIRST_THERE_ARE)
def test_offsets_without_a_state_are_no_beginning(source: str) -> None:
    with pytest.raises(StateLostError):
        fetched_from(None, {source: 5})
