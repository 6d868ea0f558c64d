"""The topics that one contestant has to itself, how they are loaded, and what comes out of them."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from streams.kafka.config import Admin
from streams.kafka.topics import DEFAULT_PARTITIONS, Topics, ensure_topics
from tests.bench.data import in_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    from streams.kafka.config import Config
    from tests.bench.data import Event

PARTITIONS = DEFAULT_PARTITIONS

_ANSWER_S = 30.0
_FLUSH_S = 60.0
_LOAD_BATCH = 20_000
_READ_BATCH = 5_000
_LOOK_EVERY_S = 0.1
_NO_LEADER = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError._UNKNOWN_PARTITION)


class Installation:
    """Topics under a prefix of their own, made and deleted with it.

    Parameters
    ----------
    config
        Settings that every client needs.
    prefix
        Before the names of all topics.
    partitions
        Of each topic.

    Attributes
    ----------
    config, topics, partitions
        Of what was made.
    """

    def __init__(self, config: Config, prefix: str, partitions: int = PARTITIONS) -> None:
        self.config = config
        self.topics = Topics(prefix)
        self.partitions = partitions
        self._admin = Admin(config)

    def __enter__(self) -> Self:
        ensure_topics(self._admin, self.topics, self.partitions)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Delete the topics, and those that the contestant has made beside them."""
        names = self._admin.list_topics(timeout=_ANSWER_S).topics
        own = [name for name in names if self.topics.prefix in name]
        for future in self._admin.delete_topics(own, operation_timeout=_ANSWER_S).values():
            future.result()

    def load(self, events: Sequence[Event]) -> None:
        """Publish events at once, without compression, which not every client can read."""
        producer = Producer(
            self.config
            | {
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "batch.num.messages": 100_000,
                "queue.buffering.max.messages": 2_000_000,
            }
        )
        names = {True: self.topics.charges, False: self.topics.disputes}
        for group in in_groups(events, _LOAD_BATCH):
            for is_charge, name in names.items():
                batch: list[dict[str, Any]] = [
                    {"key": key, "value": value} for kind, key, value in group if kind is is_charge
                ]
                accepted = producer.produce_batch(name, batch)
                assert accepted == len(batch), "the producer's queue is full"
            producer.poll(0)
        assert producer.flush(_FLUSH_S) == 0, "not all events were delivered"


class Outputs:
    """The scored events that are committed; only read when enough is there, so as not to disturb.

    Parameters
    ----------
    installation
        Whose scored events are read.

    Attributes
    ----------
    times
        When the broker appended each output, Unix seconds.
    """

    def __init__(self, installation: Installation) -> None:
        self.times: list[float] = []
        self._topic = installation.topics.scored
        self._offsets = dict.fromkeys(range(installation.partitions), 0)
        self._consumer = Consumer(
            installation.config
            | {
                "group.id": f"bench-{uuid.uuid4().hex}",  # required, and never committed to
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
            }
        )

    def close(self) -> None:
        """Give up reading."""
        self._consumer.close()

    def wait_for(self, count: int, timeout_s: float, meanwhile: Callable[[], None]) -> None:
        """Wait until so many outputs have been committed since the beginning.

        Parameters
        ----------
        meanwhile
            Called ten times a second.

        Raises
        ------
        TimeoutError
            When they do not come.
        """
        deadline = time.monotonic() + timeout_s
        while len(self.times) < count:
            meanwhile()
            if self._waiting() >= count - len(self.times):
                self._read_on()
            if time.monotonic() > deadline:
                self._read_on()
                raise TimeoutError(f"{self._topic}: {len(self.times)} of {count} outputs")
            time.sleep(_LOOK_EVERY_S)

    def _waiting(self) -> int:
        """Return how many messages are committed and not read; markers of commits count, too."""
        return sum(self._end(number) - offset for number, offset in self._offsets.items())

    def _end(self, number: int) -> int:
        """Return the end of what is committed in a partition; 0 while no leader is known."""
        try:
            return self._consumer.get_watermark_offsets(
                TopicPartition(self._topic, number), _ANSWER_S
            )[1]
        except KafkaException as exception:
            if exception.args[0].code() not in _NO_LEADER:
                raise
            return 0

    def _read_on(self) -> None:
        self._consumer.assign(
            [TopicPartition(self._topic, *place) for place in self._offsets.items()]
        )
        left = set(self._offsets)
        while left:
            for message in self._consumer.consume(_READ_BATCH, 1.0):
                error = message.error()
                number = cast("int", message.partition())
                if error is None:
                    self.times.append(message.timestamp()[1] / 1e3)
                    self._offsets[number] = cast("int", message.offset()) + 1
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard(number)
                else:
                    raise KafkaException(error)
        self._consumer.unassign()
