"""What a simulated consumer reads: where it is in each partition, and what it gets of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, KafkaError

from tests.simulation.errors import error
from tests.simulation.partition_log import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from confluent_kafka import TopicPartition

    from tests.simulation.broker import Broker
    from tests.simulation.partition_log import PartitionLog, Record
    from tests.simulation.scheduling import Process

Partition = tuple[str, int]

NOWHERE = ("", -1)
"""The partition of an event that concerns the whole consumer."""

_SLOW_SHARE, _SLOW_S = 0.1, 0.3
"""How often an answer takes long, and how long at the most, seconds."""

_AT_A_TIME = 8


class Message:
    """A message, or an event in its place."""

    __slots__ = ("_failure", "_offset", "_partition", "_record")

    def __init__(
        self,
        partition: Partition,
        offset: int,
        record: Record | None = None,
        failure: KafkaError | None = None,
    ) -> None:
        self._partition = partition
        self._offset = offset
        self._record = record
        self._failure = failure

    def topic(self) -> str:
        return self._partition[0]

    def partition(self) -> int:
        return self._partition[1]

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes | None:
        return None if self._record is None else self._record.key

    def value(self) -> bytes | None:
        return None if self._record is None else self._record.value

    def headers(self) -> list[tuple[str, bytes]] | None:
        return None if self._record is None else self._record.headers

    def timestamp(self) -> tuple[int, int]:
        return 1, 0 if self._record is None else self._record.timestamp_ms

    def error(self) -> KafkaError | None:
        return self._failure


@dataclass(slots=True, eq=False)
class _Fetch:
    """Where a partition is read."""

    log: PartitionLog
    position: int
    high: int = -1001
    end_told: int = -1
    is_paused: bool = False
    has_failed: bool = False


class Fetches:
    """The partitions that a consumer reads.

    Parameters
    ----------
    process, broker
        Who reads, and from whom.
    committed_only
        Whether what is in open or aborted transactions is left out.
    tells_end
        Whether an event tells that a partition's end is reached; once, until it is sought.
    """

    def __init__(
        self, process: Process, broker: Broker, *, committed_only: bool, tells_end: bool
    ) -> None:
        self._process = process
        self._broker = broker
        self._committed_only = committed_only
        self._tells_end = tells_end
        self._fetches: dict[Partition, _Fetch] = {}
        self._answered_at = 0.0

    def replace(self, partitions: Iterable[TopicPartition]) -> None:
        """Read these from now on, and no others."""
        self._fetches.clear()
        self.add(partitions)

    def add(self, partitions: Iterable[TopicPartition]) -> None:
        """Read these as well."""
        added = {(p.topic, p.partition): p.offset for p in partitions}
        if any(partition in self._fetches for partition in added):
            raise error(KafkaError._CONFLICT)
        for partition, offset in added.items():
            start = 0 if offset == OFFSET_BEGINNING else offset
            assert start >= 0, "auto.offset.reset is an error"
            self._fetches[partition] = _Fetch(self._broker.logs[partition], start)

    def remove(self, partitions: Iterable[TopicPartition]) -> None:
        """Read these no more."""
        removed = [(p.topic, p.partition) for p in partitions]
        if any(partition not in self._fetches for partition in removed):
            raise error(KafkaError._INVALID_ARG)
        for partition in removed:
            del self._fetches[partition]

    def drop(self, partitions: Iterable[TopicPartition]) -> None:
        """Read these no more, where they are read."""
        for p in partitions:
            self._fetches.pop((p.topic, p.partition), None)

    def seek(self, topic: str, number: int, offset: int) -> None:
        """Go on from another offset."""
        old = self._fetches.get((topic, number))
        if old is None:
            raise error(KafkaError._STATE)
        new = _Fetch(old.log, offset, old.high, is_paused=old.is_paused)
        self._fetches[topic, number] = new

    def pause(self, partitions: Iterable[TopicPartition], *, paused: bool) -> None:
        """Rest partitions, or go on with them."""
        for p in partitions:
            fetch = self._fetches[p.topic, p.partition]
            if fetch.is_paused != paused:
                fetch.is_paused, fetch.end_told = paused, -1

    def high(self, topic: str, number: int) -> int:
        """Return the high watermark of a partition as of its last fetch."""
        fetch = self._fetches.get((topic, number))
        return -1001 if fetch is None else fetch.high

    def has_more(self) -> bool:
        """Tell whether there is anything to take now."""
        return self._is_answered() and bool(self._readable())

    def take(self, limit: int) -> list[Message]:
        """Read the partitions in any order, each up to anywhere."""
        if not self._is_answered():
            return []
        chance = self._broker.scheduler.random
        if chance.random() < _SLOW_SHARE:
            self._answered_at = self._broker.scheduler.now + _SLOW_S * chance.random()
        for fetch in self._fetches.values():
            if not fetch.is_paused:
                fetch.high = fetch.log.end
        readable = self._readable()
        chance.shuffle(readable)
        messages: list[Message] = []
        for partition, fetch in readable:
            for _ in range(min(chance.randint(1, _AT_A_TIME), limit - len(messages))):
                message = self._next(partition, fetch)
                if message is None:
                    break
                messages.append(message)
        return messages

    def snapshot(self) -> dict[Partition, object]:
        """Return what tells, later, whether a partition has been sought or given up meanwhile."""
        return dict(self._fetches)

    def still_wanted(
        self, messages: list[Message], snapshot: dict[Partition, object]
    ) -> list[Message]:
        """Return the messages of partitions that were neither sought nor given up meanwhile."""
        kept = {p for p, fetch in self._fetches.items() if snapshot.get(p) is fetch} | {NOWHERE}
        return [m for m in messages if (m.topic(), m.partition()) in kept]

    def _is_answered(self) -> bool:
        """Tell whether the broker has answered; now and then that takes a while."""
        now = self._broker.scheduler.now
        return now >= self._answered_at and self._broker.answers(self._process)

    def _end(self, fetch: _Fetch) -> int:
        return fetch.log.stable_end if self._committed_only else fetch.log.end

    def _readable(self) -> list[tuple[Partition, _Fetch]]:
        return [
            (partition, fetch)
            for partition, fetch in self._fetches.items()
            if not (fetch.is_paused or fetch.has_failed)
            and (
                fetch.position < self._end(fetch)
                or (self._tells_end and fetch.end_told != fetch.position)
            )
        ]

    def _next(self, partition: Partition, fetch: _Fetch) -> Message | None:
        if fetch.position > fetch.log.end:
            fetch.has_failed = True
            lost = KafkaError(KafkaError._AUTO_OFFSET_RESET, "Offset out of range")
            return Message(partition, fetch.position, failure=lost)
        record, fetch.position = fetch.log.read(
            fetch.position, self._end(fetch), committed=self._committed_only
        )
        if record is not None:
            assert record.state is State.COMMITTED or not self._committed_only
            return Message(partition, record.offset, record)
        if self._tells_end and fetch.end_told != fetch.position:
            fetch.end_told = fetch.position
            end = KafkaError(KafkaError._PARTITION_EOF)
            return Message(partition, fetch.position, failure=end)
        return None
