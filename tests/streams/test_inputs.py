"""Taking what is next: in event time while catching up, and nothing waits for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import orjson
import pytest

from streams.events import CHARGE
from streams.inputs import Inputs
from streams.state import TaskState
from streams.store import MemoryStore
from streams.task import BY_MERCHANT, CHARGES, DISPUTES, Task
from tests.simulation.fetching import Message
from tests.simulation.partition_log import Record, State

if TYPE_CHECKING:
    from confluent_kafka import Consumer, TopicPartition

    from streams.task import Stages

START = 1.75e9
SOURCES = {source: source for source in (CHARGES, DISPUTES, BY_MERCHANT)}
MANY, FEW = 300, 5


class Broker:
    """Inputs of one task, and a consumer that is given what the test fetches.

    Parameters
    ----------
    charges, disputes
        Seconds at which events are created.
    """

    def __init__(self, charges: list[float], disputes: list[float]) -> None:
        self.now = 0.0
        self.task = Task(0, TaskState(MemoryStore()), cast("Stages", None))
        self.task.start(dict.fromkeys(SOURCES, 0))
        self.logs = {CHARGES: charges, DISPUTES: disputes, BY_MERCHANT: []}
        consumer = cast("Consumer", self)
        self.inputs = Inputs(consumer, SOURCES, 4000, 20_000, 0.0, lambda: self.now)

    def get_watermark_offsets(self, partition: TopicPartition, *, cached: bool) -> tuple[int, int]:
        assert cached
        return 0, len(self.logs[partition.topic])

    def fetch(self, source: str, count: int) -> None:
        first = self.task.buffers[source].fetched
        offsets = range(first, first + count)
        self.inputs.add({0: self.task}, [cast("Any", self._message(source, n)) for n in offsets])

    def take(self) -> tuple[int, int]:
        """Take what is next; return how many charges and disputes."""
        taken = self.inputs.take([self.task], {}).inputs
        kinds = [events.rows["kind"] for _, events in taken]
        charges = sum(int((kind == CHARGE).sum()) for kind in kinds)
        return charges, sum(map(len, kinds)) - charges

    def _message(self, source: str, offset: int) -> Message:
        event: dict[str, object] = {
            "id": f"{source}_{offset}", "created": START + self.logs[source][offset],
            "card": "card_1", "merchant": "acct_1",
        }  # fmt: skip
        if source == CHARGES:
            event |= {"amount": 1999, "currency": "usd"}
        else:
            event |= {"charge": "ch_1", "reason": "fraudulent"}
        record = Record(offset, b"card_1", orjson.dumps(event), [], 0, State.COMMITTED)
        return Message((source, 0), offset, record)


def times(count: int, first: float = 0.0) -> list[float]:
    return [first + number for number in range(count)]


def test_few_disputes_are_waited_for_while_many_charges_wait() -> None:
    broker = Broker(times(MANY), times(FEW, first=0.5))
    broker.fetch(CHARGES, MANY)
    assert broker.take() == (0, 0)
    broker.fetch(DISPUTES, 2)
    assert broker.take() == (2, 2)
    broker.fetch(DISPUTES, FEW - 2)
    assert broker.take() == (MANY - 2, FEW - 2)


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
