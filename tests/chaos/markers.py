"""Markers that the broker owes: a lone Kafka 4.4.0 may lose some when it is stopped or killed.

Its coordinator, back with a transaction that was being committed, calls it complete within
milliseconds and writes no marker. Readers then wait for good, and no client can do anything. Here
the missing markers are written as the coordinator decided, by the two requests that
`kafka-transactions.sh` is made of, so that a run goes on to test what it is meant to.
"""

from __future__ import annotations

import struct
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from tests.chaos.wire import NO_TAGS, Reader, array, ask, string

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.kafka.config import Config

_STATES = "__transaction_state"
_STATE = struct.Struct(">hqhib")  # version, producer id, epoch, timeout, status
_DECISIONS = {2: True, 3: False}  # statuses: prepared to be committed, or to be aborted
_WRITE_TXN_MARKERS, _DESCRIBE_PRODUCERS = (27, 1), (61, 0)
_LOOK_EVERY_S = 2.0
_PATIENCE_S = 15.0
"""For how long a transaction may be open: longer than the workers' transactions may last."""


@dataclass(frozen=True)
class Open:
    """A transaction that is open in a partition since an offset, with its latest message there."""

    topic: str
    partition: int
    producer_id: int
    epoch: int
    coordinator_epoch: int
    start: int
    last_ms: int = field(compare=False)


class Markers:
    """Looks for markers that are owed, and writes them, while it is entered.

    Parameters
    ----------
    config
        Settings that every client needs, with the address of the lone broker.
    topics
        In which transactions write.

    Attributes
    ----------
    written
        The transactions that were ended, and whether they were committed.
    """

    def __init__(self, config: Config, topics: Sequence[str]) -> None:
        self.written: list[tuple[Open, bool]] = []
        self._topics = topics
        host, _, port = str(config["bootstrap.servers"]).rpartition(":")
        self._address = host, int(port)
        self._seen: dict[Open, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="markers", daemon=True)
        self._consumer = Consumer(
            config
            | {
                "group.id": f"markers-{uuid.uuid4().hex}",
                "isolation.level": "read_uncommitted",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 20,
            }
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_EVERY_S):
            try:
                self._look()
            except (KafkaException, OSError):  # the broker is away
                continue

    def _look(self) -> None:
        now, before = time.monotonic(), self._seen
        self._seen = {one: before.get(one, now) for one in self._open()}
        late = [one for one, since in self._seen.items() if now - since > _PATIENCE_S]
        if not late:
            return
        epochs, decisions = self._states()
        for one in late:
            decided = decisions.get(one.producer_id, [])
            decision = next((commit for at_ms, commit in decided if at_ms > one.last_ms), None)
            if decision is None and epochs.get(one.producer_id) == one.epoch:
                continue  # the coordinator has yet to decide
            is_commit = decision is True  # what was never decided, the producer has left behind
            ask(self._address, _WRITE_TXN_MARKERS, _marker(one, is_commit))
            self.written.append((one, is_commit))

    def _open(self) -> list[Open]:
        """Return all transactions that are open."""
        known = self._consumer.list_topics(timeout=_LOOK_EVERY_S).topics
        asked = [
            string(topic) + array([struct.pack(">i", n) for n in known[topic].partitions])
            + NO_TAGS
            for topic in self._topics
            if topic in known
        ]  # fmt: skip
        answer = ask(self._address, _DESCRIBE_PRODUCERS, array(asked) + NO_TAGS)
        return _open_in(Reader(answer))

    def _states(self) -> tuple[dict[int, int], dict[int, list[tuple[int, bool]]]]:
        """Return the latest epoch of each producer, and its decisions: when, and to commit or not.

        A producer keeps its epoch from one transaction to the next, so the decision about one is
        the first after its latest message.
        """
        epochs: dict[int, int] = {}
        decisions: dict[int, list[tuple[int, bool]]] = {}
        for number in self._consumer.list_topics(_STATES, _LOOK_EVERY_S).topics[_STATES].partitions:
            self._consumer.assign([TopicPartition(_STATES, number, 0)])
            is_read = False
            while not is_read:
                for message in self._consumer.consume(10_000, 0.2):
                    error, value = message.error(), message.value() or b""
                    if error is not None:
                        is_read = error.code() == KafkaError._PARTITION_EOF
                    elif len(value) > _STATE.size:
                        _, producer, epoch, _, status = _STATE.unpack_from(value)
                        epochs[producer] = epoch
                        if status in _DECISIONS:
                            at_ms = message.timestamp()[1]
                            decided = decisions.setdefault(producer, [])
                            decided.append((at_ms, _DECISIONS[status]))
        self._consumer.unassign()
        return epochs, decisions


def _marker(one: Open, is_commit: bool) -> bytes:
    topics = [string(one.topic) + array([struct.pack(">i", one.partition)]) + NO_TAGS]
    head = struct.pack(">qh?", one.producer_id, one.epoch, is_commit)
    tail = struct.pack(">i", max(one.coordinator_epoch, 0)) + NO_TAGS
    return array([head + array(topics) + tail]) + NO_TAGS


def _open_in(answer: Reader) -> list[Open]:
    """Return the open transactions of an answer about producers."""
    found = []
    answer.read(">i")
    for _ in range(answer.length()):
        topic = answer.string()
        for _ in range(answer.length()):
            partition, error = answer.read(">ih")
            answer.string()
            for _ in range(answer.length()):
                producer, epoch, _, last_ms, by_epoch, start = answer.read(">qiiqiq")
                answer.tags()
                if not error and start >= 0:
                    found.append(Open(topic, partition, producer, epoch, by_epoch, start, last_ms))
            answer.tags()
        answer.tags()
    return found
