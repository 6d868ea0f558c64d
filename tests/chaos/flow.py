"""What goes in and what comes out while the faults happen: a steady producer, and a watcher."""

from __future__ import annotations

import threading
import time
import uuid
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import orjson
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from schemas.charge import Charge
from tests.chaos.traffic import DAY_S

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from streams.kafka.config import Config
    from streams.kafka.topics import Topics
    from tests.chaos.traffic import Sent, Traffic

_PACE_S = 0.05
_FLUSH_TIMEOUT_S = 90.0
_POLL_S = 0.02


class Publishing:
    """Publishes a stream at a steady rate, and more of it on demand.

    Parameters
    ----------
    config
        Client settings.
    topics
        The names of the topics.
    traffic
        The stream.
    rate
        Inputs a second.

    Attributes
    ----------
    sent
        Everything published, in order.
    delivered
        When the broker had an input and in which partition, by its number.
    """

    def __init__(self, config: Config, topics: Topics, traffic: Traffic, rate: float) -> None:
        self.sent: list[Sent] = []
        self.delivered: dict[int, tuple[float, int]] = {}
        self._topics = {name: getattr(topics, name) for name in ("charges", "disputes", "outcomes")}
        self._traffic = traffic
        self._rate = rate
        self._failures: list[KafkaError] = []
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publishing", daemon=True)
        self._producer = Producer(
            config
            | {
                "enable.idempotence": True,
                # With more, librdkafka 2.16 may write a message twice while its broker comes back
                # (its issue 4953), and each input has to be there once.
                "max.in.flight.requests.per.connection": 1,
                "partitioner": "murmur2_random",
                "linger.ms": 2,
                "message.timeout.ms": 120_000,
            }
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the stream, and wait until the broker has all of it."""
        self.halt()
        self.flush()

    def halt(self) -> None:
        """End the stream."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def burst(self, count: int) -> None:
        """Publish the next of the stream at once."""
        with self._lock:
            self.publish(self._traffic.take(count))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the stream stand still."""
        with self._lock:
            yield

    def retry(self, numbers: Container[int]) -> None:
        """Publish charges of these numbers again: those that are still known for duplicates."""
        with self._lock:
            charges = [(s.number, s.event) for s in self.sent if isinstance(s.event, Charge)]
            clocks: dict[str, float] = {}
            for _, charge in charges:
                clocks[charge.card] = max(clocks.get(charge.card, 0.0), charge.created)
            again = {
                (charge.card, charge.id): charge
                for number, charge in charges
                if number in numbers and charge.created + DAY_S > clocks[charge.card]
            }
            self.publish(self._traffic.again(again.values()))

    def publish(self, inputs: Sequence[Sent]) -> None:
        for sent in inputs:
            self._producer.produce(
                self._topics[sent.topic],
                sent.value,
                sent.key,
                on_delivery=partial(self._on_delivery, sent.number),
            )
            self.sent.append(sent)
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until the broker has everything."""
        assert self._producer.flush(_FLUSH_TIMEOUT_S) == 0, "the broker does not take our input"
        assert not self._failures, self._failures[:3]

    def _run(self) -> None:
        due_at = time.monotonic()
        owed = 0.0
        while not self._stop.is_set():
            owed += self._rate * _PACE_S
            if owed >= 1.0:
                self.burst(int(owed))
                owed -= int(owed)
            due_at = max(due_at + _PACE_S, time.monotonic())
            self._stop.wait(due_at - time.monotonic())
            self._producer.poll(0)

    def _on_delivery(self, number: int, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failures.append(error)
        else:
            partition = message.partition()
            assert partition is not None
            self.delivered[number] = (message.timestamp()[1] / 1e3, partition)


class Watcher:
    """Sees scored events and rejected inputs as a downstream service does, when it does.

    Attributes
    ----------
    scored
        When the first scored event of a charge was appended, by the charge's number; Unix seconds.
    rejected
        Inputs rejected, by topic, partition and offset.
    """

    def __init__(self, config: Config, topics: Topics, partitions: int) -> None:
        self.scored: dict[int, float] = {}
        self.rejected: set[tuple[object, object, object]] = set()
        self._topics = topics
        self._partitions = partitions
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._consumer = Consumer(
            config
            | {
                "group.id": f"watcher-{uuid.uuid4().hex}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )

    def start(self) -> None:
        self._consumer.assign(
            [
                TopicPartition(topic, number, 0)
                for topic in (self._topics.scored, self._topics.rejected)
                for number in range(self._partitions)
            ]
        )
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            for message in self._consumer.consume(2000, _POLL_S):
                if message.error() is None:
                    self._see(message)

    def _see(self, message: Message) -> None:
        if message.topic() == self._topics.scored:
            number = orjson.loads(message.value() or b"")["number"]
            self.scored.setdefault(number, message.timestamp()[1] / 1e3)
        else:
            headers = dict(message.headers() or [])
            self.rejected.add((headers["topic"], headers["partition"], headers["offset"]))
