"""Taking what is next: in event time while catching up, and nothing waits for ever."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.group_member import GroupMember, TaskTopics
from streams.engine.inputs import Inputs
from streams.engine.settings import EngineSettings
from streams.engine.task import (
    BY_ENTITY,
    BY_MERCHANT,
    CHARGES,
    DISPUTES,
    OUTCOMES,
    SOURCES,
    Task,
)
from streams.events.batch import Batch
from streams.events.rows import AUTHORIZED, CHARGE, FRAUD_DISPUTE
from streams.kafka.topics import Topics
from streams.state.store import MemoryStore
from streams.state.tables import TaskState
from streams.wire.frames import FRAME, encode_frames
from tests.simulation.fetching import Message
from tests.simulation.partition_log import Record, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Consumer, TopicPartition

from streams.engine.task import Stages

START = 1.75e9
TOPICS = TaskTopics(Topics())
MANY, FEW = 300, 5


class Broker:
    """Inputs of one task, and a consumer that is given what the test fetches.

    Parameters
    ----------
    charges, disputes, outcomes
        Seconds at which events are created.
    frames
        The same for the frames of each message.
    max_batch
        Taken at about the most at a time.
    """

    def __init__(
        self,
        charges: list[float],
        disputes: list[float],
        frames: Sequence[Sequence[float]] = (),
        max_batch: int = 4000,
        outcomes: Sequence[float] = (),
    ) -> None:
        self.now = 0.0
        self.odd: dict[str, object] = {}
        self.task = Task(0, TaskState(MemoryStore()), cast("Stages", SimpleNamespace(waiting=0)))
        self.task.start(dict.fromkeys(SOURCES, 0))
        self.logs: dict[str, Sequence[Any]] = {
            CHARGES: charges, DISPUTES: disputes, OUTCOMES: outcomes, BY_MERCHANT: frames,
            BY_ENTITY: (),
        }  # fmt: skip
        self.inputs = Inputs(
            GroupMember(cast("Consumer", self), TOPICS),
            EngineSettings("test", max_batch=max_batch, future_allowance_s=0.0),
            lambda: self.now,
            {},
        )

    def get_watermark_offsets(self, partition: TopicPartition, *, cached: bool) -> tuple[int, int]:
        assert cached
        (source,) = (source for source, topic in TOPICS.inputs.items() if topic == partition.topic)
        return 0, len(self.logs[source])

    def fetch(self, source: str, count: int) -> None:
        first = self.task.buffers[source].fetched
        offsets = range(first, first + count)
        self.inputs.add({0: self.task}, [cast("Any", self._message(source, n)) for n in offsets])

    def take(self) -> tuple[int, int]:
        """Take what is next; return how many charges, and how many disputes and outcomes."""
        kinds = self.take_kinds()
        return kinds.count(CHARGE), len(kinds) - kinds.count(CHARGE)

    def take_kinds(self) -> list[int]:
        """Take what is next; return the kinds of its events."""
        taken = self.inputs.take([self.task], {}).inputs
        return [kind for _, events in taken for kind in events.batch.rows["kind"].tolist()]

    def has_paused(self) -> bool:
        return self.task.is_paused

    def take_frames(self) -> list[float]:
        """Take what is next; return the times of its frames."""
        taken = self.inputs.take([self.task], {}).frames
        return [
            float(time)
            for _, batches in taken
            for batch in batches
            for time in batch.rows["event"]["created"]
        ]

    def _message(self, source: str, offset: int) -> Message:
        made = self.logs[source][offset]
        value = frames_at(made) if source == BY_MERCHANT else self._event(source, offset, made)
        record = Record(offset, b"card_1", value, [], 0, State.COMMITTED)
        return Message((TOPICS.inputs[source], 0), offset, record)

    def _event(self, source: str, offset: int, time: float) -> bytes:
        event: dict[str, object] = {
            "id": f"{source}_{offset}", "created": START + time,
            "card": "card_1", "merchant": "acct_1",
        }  # fmt: skip
        if source == CHARGES:
            event |= {"amount": 1999, "currency": "usd", **self.odd}
        elif source == DISPUTES:
            event |= {"charge": "ch_1", "reason": "fraudulent"}
        else:
            event |= {"charge": "ch_1", "outcome": "authorized"}
        return orjson.dumps(event)


def frames_at(times: Sequence[float]) -> bytes:
    rows = np.zeros(len(times), FRAME)
    rows["event"]["created"] = [START + time for time in times]
    texts = [b""] * len(times)
    (message,) = encode_frames(Batch(rows, texts, texts, texts))
    return message


def times(count: int, first: float = 0.0) -> list[float]:
    return [first + number for number in range(count)]


def test_findings_are_handed_on_once() -> None:
    broker = Broker(times(3), [])
    broker.odd = {"funding": "unknown"}
    broker.fetch(CHARGES, 2)
    assert broker.inputs.take([broker.task], {}).findings == {("ignored", "funding"): 2}
    broker.fetch(CHARGES, 1)
    assert broker.inputs.take([broker.task], {}).findings == {("ignored", "funding"): 1}
    assert not broker.inputs.take([broker.task], {}).findings


@pytest.mark.parametrize("source", [DISPUTES, OUTCOMES])
def test_few_labels_are_waited_for_while_many_charges_wait(source: str) -> None:
    broker = Broker(times(MANY), [])
    broker.logs[source] = times(FEW, first=0.5)
    broker.fetch(CHARGES, MANY)
    assert broker.take() == (0, 0)
    broker.fetch(source, 2)
    assert broker.take() == (2, 2)
    broker.fetch(source, FEW - 2)
    assert broker.take() == (MANY - 2, FEW - 2)


def test_events_of_all_inputs_are_taken_in_the_order_of_their_time() -> None:
    """Of the same time charges come first, so that nothing is about what is still to come."""
    broker = Broker([0.0, 2.0, 2.0], [1.0, 2.0], outcomes=[0.5, 2.0, 3.0])
    for source in (OUTCOMES, DISPUTES, CHARGES):
        broker.fetch(source, len(broker.logs[source]))
    of_charge, of_dispute, of_outcome = CHARGE, FRAUD_DISPUTE, AUTHORIZED
    assert broker.take_kinds() == [
        of_charge, of_outcome, of_dispute, of_charge, of_charge, of_dispute, of_outcome, of_outcome,
    ]  # fmt: skip


def test_few_charges_are_waited_for_while_many_disputes_wait() -> None:
    broker = Broker(times(FEW), times(MANY, first=0.5))
    broker.fetch(DISPUTES, MANY)
    assert broker.take() == (0, 0)
    broker.fetch(CHARGES, FEW)
    assert broker.take() == (FEW, MANY)


def test_what_is_in_flight_holds_up_nothing_in_normal_operation() -> None:
    broker = Broker(times(FEW), times(FEW))
    broker.fetch(CHARGES, FEW)
    assert broker.take() == (FEW, 0)
    broker.fetch(DISPUTES, FEW)
    assert broker.take() == (0, FEW)


@pytest.mark.parametrize("behind", [FEW, MANY])
def test_a_partition_that_delivers_nothing_holds_up_the_others_for_a_second(behind: int) -> None:
    broker = Broker(times(2 * MANY + FEW), times(behind))
    broker.fetch(CHARGES, MANY)
    assert broker.take() == (0, 0)
    broker.now = 0.9
    assert broker.take() == (0, 0)
    broker.now = 1.0
    assert broker.take() == (MANY, 0)
    broker.fetch(CHARGES, MANY)
    assert broker.take() == (MANY, 0), "it is waited for only once"
    broker.fetch(DISPUTES, behind)
    broker.fetch(CHARGES, FEW)
    assert broker.take() == (FEW, behind)


@given(
    messages=st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=6), min_size=1, max_size=8),
    max_batch=st.integers(1, 10),
)
def test_the_frames_of_a_message_are_taken_together(
    messages: list[list[int]], max_batch: int
) -> None:
    """Whatever their times: a position is that of a message, and what is before it was taken."""
    broker = Broker([], [], messages, max_batch)
    broker.fetch(BY_MERCHANT, len(messages))
    sent = [START + time for times in messages for time in times]
    taken = list[float]()
    while len(taken) < len(sent):
        frames = broker.take_frames()
        assert frames, "it stands still"
        taken += frames
        position = broker.task.buffers[BY_MERCHANT].position
        assert len(taken) == sum(map(len, messages[:position]))
    assert taken == sent


def test_charges_have_paused_when_none_has_come_for_a_while() -> None:
    """It is told once by itself, so that what waits can go on, and holds until one comes."""
    broker = Broker(times(3), times(3))
    broker.fetch(CHARGES, 1)
    assert broker.take() == (1, 0)
    broker.now = 14.9
    assert not broker.inputs.take([broker.task], {})
    assert not broker.has_paused()
    broker.now = 15.0
    ((_, nothing),) = broker.inputs.take([broker.task], {}).inputs
    assert (len(nothing), broker.has_paused()) == (0, True)
    assert not broker.inputs.take([broker.task], {})
    broker.fetch(DISPUTES, 1)
    assert broker.take() == (0, 1)
    assert broker.has_paused()
    broker.fetch(CHARGES, 1)
    assert broker.take() == (1, 0)
    assert not broker.has_paused()


def test_charges_that_wait_for_their_turn_have_not_paused() -> None:
    broker = Broker(times(2 * MANY), times(MANY))
    broker.fetch(CHARGES, MANY)
    broker.now = 0.5
    assert broker.take() == (0, 0)
    broker.now = 20.0
    assert broker.take() == (MANY, 0)
    assert not broker.has_paused()


def test_what_was_undone_is_told_again_when_charges_have_paused() -> None:
    broker = Broker(times(1), [])
    broker.fetch(CHARGES, 1)
    broker.take()
    broker.now = 15.0
    assert broker.inputs.take([broker.task], {})
    broker.task.start(dict.fromkeys(SOURCES, 0))
    broker.fetch(CHARGES, 1)
    assert broker.take() == (1, 0)
    assert not broker.has_paused()
    broker.now = 30.0
    assert broker.inputs.take([broker.task], {})
    assert broker.has_paused()
