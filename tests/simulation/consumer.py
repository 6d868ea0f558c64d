"""The simulated consumer: what our code uses of confluent_kafka's, against the simulated broker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, TopicPartition

from tests.simulation import groups
from tests.simulation.errors import error
from tests.simulation.fetching import NOWHERE, Fetches, Message
from tests.simulation.member import ASSIGN, LOSE, REVOKE, Event, Membership

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.simulation.broker import Broker
    from tests.simulation.scheduling import Process

_FOR_EVER_S = 1e6
_EMPTY_SHARE = 0.2
"""How often nothing has been fetched yet when nothing is waited for."""

_NO_LEADER_SHARE = 0.5
"""How often a broker that has only just come back does not lead a partition yet."""


def _nothing(*_: object) -> None:
    """Do nothing."""


_NO_MEMBER = groups.Member("", -1, "")


class SimulatedConsumer:
    """A consumer; the settings that matter here are obeyed."""

    def __init__(self, process: Process, broker: Broker, config: Mapping[str, Any]) -> None:
        self._process = process
        self._broker = broker
        self._config = config
        self._committed_only = config.get("isolation.level") != "read_uncommitted"
        self._fetches = Fetches(
            process,
            broker,
            committed_only=self._committed_only,
            tells_end=bool(config.get("enable.partition.eof")),
        )
        self._membership: Membership | None = None
        self._callbacks: dict[str, Callable[..., None]] = {}
        self._topic = ""
        self._is_closed = False

    def poll(self, timeout: float) -> Message | None:
        messages = self._take(1, timeout, "poll")
        return messages[0] if messages else None

    def consume(self, num_messages: int, timeout: float) -> list[Message]:
        if timeout == 0.0 and self._broker.scheduler.random.random() < _EMPTY_SHARE:
            self._process.step("consume")
            return []
        before = self._fetches.snapshot()
        messages = self._take(num_messages, timeout, "consume")
        self._process.step("consume")
        self._serve()  # which may have made some of this batch outdated
        return self._fetches.still_wanted(messages, before)

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self._process.step("assign partitions")
        self._fetches.replace(partitions)

    def incremental_assign(self, partitions: Sequence[TopicPartition]) -> None:
        self._process.step("incremental_assign")
        self._fetches.add(partitions)

    def incremental_unassign(self, partitions: Sequence[TopicPartition]) -> None:
        self._process.step("incremental_unassign")
        self._fetches.remove(partitions)

    def seek(self, partition: TopicPartition) -> None:
        self._process.step("seek")
        self._fetches.seek(partition.topic, partition.partition, partition.offset)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self._fetches.pause(partitions, paused=True)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        self._fetches.pause(partitions, paused=False)

    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float = _FOR_EVER_S, cached: bool = False
    ) -> tuple[int, int]:
        if cached:
            return 0, self._fetches.high(partition.topic, partition.partition)
        self._ask("watermarks", timeout)
        if self._broker.is_starting and self._broker.scheduler.random.random() < _NO_LEADER_SHARE:
            raise error(KafkaError.NOT_LEADER_FOR_PARTITION)
        log = self._broker.logs[partition.topic, partition.partition]
        return 0, log.stable_end if self._committed_only else log.end

    def committed(self, partitions: Sequence[TopicPartition], timeout: float) -> list[Any]:
        self._ask("committed", timeout)
        asked = [(p.topic, p.partition) for p in partitions]
        group = self._broker.group
        if self._committed_only and not group.is_stable(asked):
            self._process.wait(lambda: group.is_stable(asked), timeout)
            if not group.is_stable(asked):
                raise error(KafkaError._TIMED_OUT)
        return [
            TopicPartition(topic, number, group.offsets.get((topic, number), -1001))
            for topic, number in asked
        ]

    def list_topics(self, topic: str, timeout: float) -> Any:
        self._ask("list_topics", timeout)
        partitions = range(self._broker.partitions[topic])
        return SimpleNamespace(topics={topic: SimpleNamespace(partitions=partitions)})

    def subscribe(
        self,
        topics: Sequence[str],
        on_assign: Callable[..., None],
        on_revoke: Callable[..., None] = _nothing,
        on_lost: Callable[..., None] = _nothing,
    ) -> None:
        [self._topic] = topics
        self._callbacks = {ASSIGN: on_assign, REVOKE: on_revoke, LOSE: on_lost}
        self._membership = Membership(
            self._process,
            self._broker,
            str(self._config.get("group.instance.id", "")),
            float(self._config["session.timeout.ms"]) / 1e3,
            float(self._config["heartbeat.interval.ms"]) / 1e3,
        )
        self._membership.start()

    def memberid(self) -> str | None:
        return (self._membership and self._membership.id) or None

    def consumer_group_metadata(self) -> groups.Member:
        return _NO_MEMBER if self._membership is None else self._membership.metadata

    def commit(self, offsets: Sequence[TopicPartition], asynchronous: bool) -> None:
        assert not asynchronous
        self._ask("before offsets", _FOR_EVER_S)
        member = self.consumer_group_metadata()
        self._broker.group.commit(member, {(p.topic, p.partition): p.offset for p in offsets})
        self._process.step("after offsets")

    def close(self) -> None:
        self._process.step("close")
        membership = self._membership
        if membership is not None and not self._is_closed:
            self._serve()
            if membership.assignment:
                self._tell(Event(REVOKE, membership.assignment))
            membership.leave()
        self._fetches.replace([])
        self._is_closed = True

    def _ask(self, name: str, timeout_s: float) -> None:
        """Wait until the broker answers."""
        self._process.step(name)
        if not self._broker.answers(self._process):
            self._process.wait(lambda: self._broker.answers(self._process), timeout_s)
            if not self._broker.answers(self._process):
                raise error(KafkaError._TIMED_OUT)

    def _take(self, limit: int, timeout_s: float, step: str) -> list[Message]:
        """Serve what has to be told, then return some of the messages that are there."""
        self._process.step(step)
        until = self._broker.scheduler.now + timeout_s
        while True:
            self._serve()
            if self._membership is not None and self._membership.has_fatal_to_tell:
                self._membership.has_fatal_to_tell = False
                self._fetches.replace([])
                return [Message(NOWHERE, -1, failure=KafkaError(KafkaError._FATAL, "fenced"))]
            if messages := self._fetches.take(limit):
                return messages
            left_s = until - self._broker.scheduler.now
            if left_s <= 0.0:
                return []
            self._process.wait(self._has_something, left_s)

    def _has_something(self) -> bool:
        membership = self._membership
        if membership is not None and (membership.events or membership.has_fatal_to_tell):
            return True
        return self._fetches.has_more()

    def _serve(self) -> None:
        """Tell the application what has become of its membership."""
        membership = self._membership
        while membership is not None and membership.events:
            try:
                self._tell(membership.events[0])
            finally:
                membership.told()

    def _tell(self, event: Event) -> None:
        """Call back; what a callback that fails leaves undone is done here, as by the real one."""
        if event.kind == LOSE and not event.partitions:
            return
        self._process.step(event.kind)
        own = [TopicPartition(self._topic, number) for number in sorted(event.partitions)]
        try:
            self._callbacks[event.kind](self, own)
        except Exception:
            if event.kind != ASSIGN:
                self._fetches.drop(own)
            raise
