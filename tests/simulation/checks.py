"""What must hold once a schedule has settled, whatever the stages compute."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson

from streams.engine.task import BY_ENTITY, BY_MERCHANT, CHARGES, DISPUTES, OUTCOMES
from streams.state.tables import META
from tests.simulation.disk import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from streams.kafka.topics import Topics
    from tests.simulation.broker import Broker
    from tests.simulation.events import Inputs, Published
    from tests.simulation.workers import Worker


class Checks(ABC):
    """Compares what a schedule has left, at the broker and on disk, with what was published.

    Parameters
    ----------
    broker
        Has the topics.
    topics
        Their names.
    inputs
        What was published.
    """

    def __init__(self, broker: Broker, topics: Topics, inputs: Inputs) -> None:
        self.broker = broker
        self.topics = topics
        self._inputs = inputs
        self.charges = self._published(topics.charges)
        self.disputes = self._published(topics.disputes)
        self.outcomes = self._published(topics.outcomes)

    def exactly_once(self, workers: Iterable[Worker]) -> Iterator[str]:
        """Yield what is wrong after a schedule with transactions."""
        yield from differences("scored", self.scored_names(), names(self.charges))
        yield from differences("rejected", self.rejected(), self.bad())
        for number in range(self.broker.partitions[self.topics.changelog]):
            restored = self.restored(number)
            yield from self._positions(number, restored)
            yield from self._stores(number, restored, workers)
        if not self.broker.is_stable:
            yield f"transactions were left open: {self.broker.transactions.open}"
        yield from self.stages()

    def at_least_once(self) -> Iterator[str]:
        """Yield what is wrong after a schedule without transactions."""
        yield from at_least("scored", self.scored_names(), names(self.charges))
        yield from at_least("rejected", self.rejected(), self.bad())

    @abstractmethod
    def stages(self) -> Iterator[str]:
        """Yield what is wrong with what the stages have computed."""

    def scored(self) -> list[dict[str, Any]]:
        """Return the scored events, those of each partition in their order."""
        return [orjson.loads(r.value or b"") for r in self.broker.committed(self.topics.scored)]

    def scored_names(self) -> list[str]:
        """Return the charges that were scored."""
        return [event["charge"] for event in self.scored()]

    def restored(self, number: int) -> dict[bytes, bytes]:
        """Return the state that a partition of the changelog stands for."""
        state: dict[bytes, bytes] = {}
        for record in self.broker.logs[self.topics.changelog, number].committed():
            assert record.key is not None
            if record.value is None:
                state.pop(record.key, None)
            else:
                state[record.key] = record.value
        return state

    def _positions(self, number: int, restored: Mapping[bytes, bytes]) -> Iterator[str]:
        """Compare the group's offsets with the positions that the changelog has."""
        positions: dict[str, int] = {}
        for key in (b"positions", b"positions/later"):
            positions |= orjson.loads(restored.get(META + key, b"{}"))
        for source, topic in (
            (CHARGES, self.topics.charges),
            (DISPUTES, self.topics.disputes),
            (OUTCOMES, self.topics.outcomes),
            (BY_MERCHANT, self.topics.by_merchant),
            (BY_ENTITY, self.topics.by_entity),
        ):
            offset = self.broker.group.offsets.get((topic, number))
            if offset is not None and offset != positions.get(source):
                yield f"{topic}[{number}]: offset {offset}, position {positions.get(source)}"

    def _stores(
        self, number: int, restored: Mapping[bytes, bytes], workers: Iterable[Worker]
    ) -> Iterator[str]:
        """Compare the store of a running task with what its changelog stands for."""
        for worker in workers:
            if number not in worker.tasks:
                continue
            store = worker.disk.stores[number]
            if dict(store.scan(EVERYTHING)) != restored:
                yield f"task {number}: the store of {worker.name} differs from the changelog"
            committed = self.broker.logs[self.topics.changelog, number].committed()
            if committed and store.offset is not None and store.offset <= committed[-1].offset:
                yield f"task {number}: the store of {worker.name} stands at {store.offset}"

    def _published(self, topic: str) -> list[Published]:
        """Return the events of a topic, those of each partition in their order."""
        found = [self._inputs.by_value[r.value or b""] for r in self.broker.committed(topic)]
        return [published for published in found if published.name]

    def bad(self) -> list[tuple[str, ...]]:
        """Return topic, partition and offset of what is no event."""
        return [
            (topic, str(number), str(record.offset))
            for topic in (self.topics.charges, self.topics.disputes, self.topics.outcomes)
            for number in range(self.broker.partitions[topic])
            for record in self.broker.logs[topic, number].committed()
            if not self._inputs.by_value[record.value or b""].name
        ]

    def rejected(self) -> list[tuple[str, ...]]:
        """Return topic, partition and offset of what was rejected."""
        return [
            tuple(dict(record.headers)[name].decode() for name in ("topic", "partition", "offset"))
            for record in self.broker.committed(self.topics.rejected)
        ]


def names(events: Iterable[Published]) -> list[str]:
    """Return the ids of events."""
    return [event.name for event in events]


def differences(what: str, found: Iterable[Any], wanted: Iterable[Any]) -> Iterator[str]:
    """Yield what was found too often or not often enough."""
    counts = Counter(found)
    counts.subtract(Counter(wanted))
    for name, times in sorted(counts.items(), key=str):
        if times:
            yield f"{name!r}: {what} {times:+d} times too often"


def at_least(what: str, found: Iterable[Any], wanted: Iterable[Any]) -> Iterator[str]:
    """Yield what was not found at all, and what was found though it was never there."""
    found, wanted = set(found), set(wanted)
    if missing := sorted(map(str, wanted - found)):
        yield f"never {what}: {missing}"
    if unknown := sorted(map(str, found - wanted)):
        yield f"{what}, but not published: {unknown}"
