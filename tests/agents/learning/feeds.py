"""Stand-ins for Kafka below the model feeds: a log that is read, and what was sent to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from schemas.snapshot import Snapshot, decode_snapshot, encode_snapshot
from streams.features.entities import FEATURES
from streams.wire.examples import EXAMPLE_LAYOUT, encode_examples

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from confluent_kafka import Message

    from streams.events.rows import Rows
    from streams.kafka.clients import Clients
    from streams.kafka.transactional_producer import TransactionalProducer

Record = tuple[bytes | None, bytes | None]


class Read:
    """A message of a log."""

    def __init__(self, offset: int, record: Record) -> None:
        self._offset = offset
        self._record = record

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes | None:
        return self._record[0]

    def value(self) -> bytes | None:
        return self._record[1]


class Log:
    """One partition, read through `reader`."""

    def __init__(self, records: Iterable[Record] = (), oldest: int = 0) -> None:
        self.records = list(records)
        self.oldest = oldest

    def reader(self, *_: object) -> LogReader:
        """Stand in for `streams.kafka.partition_reader.PartitionReader`."""
        return LogReader(self)


class LogReader:
    """Reads a log from an offset on."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._next = log.oldest

    def seek(self, offset: int) -> None:
        assert offset >= self._log.oldest, "it was deleted"
        self._next = offset

    def watermarks(self) -> tuple[int, int]:
        return self._log.oldest, len(self._log.records)

    def take(self, limit: int) -> list[Message]:
        first, self._next = self._next, min(self._next + limit, len(self._log.records))
        reads = [Read(offset, self._log.records[offset]) for offset in range(first, self._next)]
        return cast("list[Message]", reads)

    def read_to_end(self) -> Iterator[list[Message]]:
        yield self.take(len(self._log.records))

    def close(self) -> None:
        pass


class Producer:
    """Keeps what is sent until it is committed to the log of models, or lost."""

    def __init__(self, models: Log) -> None:
        self._models = models
        self.sent: list[Record] = []

    def send(self, _: str, messages: Sequence[Record], *__: Any) -> None:
        self.sent.extend(messages)

    def commit(self) -> None:
        self._models.records.extend(self.sent)
        self.sent = []

    def lose(self) -> None:
        self.sent = []

    def as_producer(self) -> TransactionalProducer:
        return cast("TransactionalProducer", self)


class Clock:
    """Stands in for the clients: its clock is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def as_clients(self) -> Clients:
        return cast("Clients", self)


def examples(count: int, seed: int) -> Rows:
    """Return EXAMPLE[N] of which every tenth or so is a fraud, a little unlike the others."""
    rng = np.random.default_rng(seed)
    rows = EXAMPLE_LAYOUT.new(count)
    rows["label"] = rng.random(count) < 0.1
    rows["weight"] = 1.0
    rows["stands_for"] = np.where(rows["label"] == 1, 1.0, 10.0)
    rows["charged_at"] = 1.7e9 + np.sort(rng.uniform(0.0, 20 * 86_400.0, count))
    rows["vector"] = rng.normal(2.0, 1.0, (count, len(FEATURES))) + rows["label"][:, None] * 0.3
    return rows


def example_log(count: int, seed: int) -> Log:
    """Return a log of so many examples."""
    return Log((None, value) for value in encode_examples(examples(count, seed)))


def through_json(snapshot: Snapshot) -> Snapshot:
    return decode_snapshot(encode_snapshot(snapshot))
