"""What a client that is not ours does: plain confluent-kafka, used by the integration tests."""

import time
import uuid
from collections.abc import Iterable, Mapping

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from streams.kafka.config import Config

TIMEOUT_S = 120.0
_ANSWER_S = 10.0


class Kafka:
    """A cluster to test against.

    Parameters
    ----------
    config
        Settings that every client of it needs.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._admin = AdminClient(config)
        # Idempotent: without, what is sent again may come after what was sent later.
        self._producer = Producer(config | {"linger.ms": 5, "enable.idempotence": True})

    @property
    def bootstrap_servers(self) -> str:
        return str(self.config["bootstrap.servers"])

    def create(
        self, topic: str, partitions: int = 1, config: Mapping[str, str] | None = None
    ) -> None:
        new = NewTopic(topic, partitions, -1, config=dict(config or {}))
        self._admin.create_topics([new])[topic].result()
        deadline = time.monotonic() + TIMEOUT_S
        while self.partitions(topic) != partitions:  # the controller knows it first
            assert time.monotonic() < deadline, f"{topic} was made but is not there"
            time.sleep(0.01)

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has, 0 if there is no such topic."""
        topics = self._admin.list_topics(timeout=TIMEOUT_S).topics
        return len(topics[topic].partitions) if topic in topics else 0

    def topic_config(self, topic: str) -> dict[str, str]:
        resource = ConfigResource(ResourceType.TOPIC, topic)
        entries = self._admin.describe_configs([resource])[resource].result()
        return {name: entry.value for name, entry in entries.items()}

    def members(self, group: str) -> dict[str, str]:
        """Return the ids of a group's members by their instance ids, or by themselves."""
        described = self._admin.describe_consumer_groups([group])[group].result()
        return {one.group_instance_id or one.member_id: one.member_id for one in described.members}

    def wait_until_taken(self, group: str, topic: str) -> None:
        """Wait until a group has committed that it has read all messages of a topic."""
        deadline = time.monotonic() + TIMEOUT_S
        while left := self.read_all(topic, self._committed(group, topic)):
            assert time.monotonic() < deadline, f"{topic}: {group} has not taken {len(left)}"

    def _committed(self, group: str, topic: str) -> dict[int, int]:
        asked = self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
        found = asked[group].result().topic_partitions
        return {each.partition: each.offset for each in found if each.topic == topic}

    def produce(
        self,
        topic: str,
        events: Iterable[tuple[bytes | None, bytes | None]],
        timestamp_ms: int = 0,
    ) -> None:
        """Publish (key, value) pairs and wait until the broker has them all."""
        self.publish(topic, [(-1, key, value) for key, value in events], timestamp_ms)

    def publish(
        self,
        topic: str,
        events: Iterable[tuple[int, bytes | None, bytes | None]],
        timestamp_ms: int = 0,
        headers: list[tuple[str, bytes | None]] | None = None,
    ) -> None:
        """Publish partitions, keys and values; -1 for the partition of the key."""
        failures: list[object] = []

        def delivered(error: object, _: Message) -> None:
            if error is not None:
                failures.append(error)

        for partition, key, value in events:
            self._producer.produce(
                topic,
                key=key,
                value=value,
                partition=partition,
                timestamp=timestamp_ms,
                headers=list(headers or []),
                on_delivery=delivered,
            )
            self._producer.poll(0)
        left = self._producer.flush(TIMEOUT_S)
        assert not left, f"{left} events not delivered within {TIMEOUT_S} s"
        assert not failures, failures[:3]

    def consume(self, topic: str, count: int, timeout_s: float = TIMEOUT_S) -> list[Message]:
        """Read a topic from its start, committed events only, until there are `count` of them.

        It fails when they do not come in time. That there are no more of them is `read_all`'s to
        say.
        """
        consumer = self._reader(topic, {})
        messages: list[Message] = []
        deadline = time.monotonic() + timeout_s
        try:
            while len(messages) < count:
                assert time.monotonic() < deadline, f"{topic}: {len(messages)} of {count} events"
                messages += _checked(consumer.consume(count - len(messages), 0.2))
        finally:
            consumer.close()
        return messages

    def read_all(self, topic: str, since: Mapping[int, int] | None = None) -> list[Message]:
        """Read all that is committed in a topic now; by partition, each in its own order.

        From its start on, or from the offset of each partition that is given.
        """
        messages: list[Message] = []
        deadline, since = time.monotonic() + TIMEOUT_S, since or {}
        consumer, ends = self._reader_and_ends(topic, since, deadline)
        try:
            while any(
                max(position.offset, since.get(position.partition, 0)) < ends[position.partition]
                for position in consumer.position(consumer.assignment())
            ):
                assert time.monotonic() < deadline, f"{topic}: its end was not reached"
                messages += _checked(consumer.consume(1000, 0.2))
        finally:
            consumer.close()
        return sorted(messages, key=lambda message: (message.partition(), message.offset()))

    def _reader_and_ends(
        self, topic: str, since: Mapping[int, int], deadline: float
    ) -> tuple[Consumer, dict[int, int]]:
        """Return a reader, and the end of each partition.

        Under read_committed the high watermark is the last stable offset: it also counts the commit
        markers, which are never delivered, so that only the position tells the end. A client that
        was made just when a broker came back may know of no partition for minutes (seen once, for
        120 s, with librdkafka 2.16): another one does.
        """
        while True:
            consumer = self._reader(topic, since)
            patience = min(deadline, time.monotonic() + _ANSWER_S)
            try:
                return consumer, {
                    partition.partition: _end(consumer, partition, patience)
                    for partition in consumer.assignment()
                }
            except KafkaException:
                consumer.close()
                if time.monotonic() > deadline:
                    raise

    def _reader(self, topic: str, since: Mapping[int, int]) -> Consumer:
        consumer = Consumer(
            self.config
            | {
                "group.id": f"test-{uuid.uuid4().hex}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )
        numbers = range(self.partitions(topic))
        consumer.assign([TopicPartition(topic, each, since.get(each, 0)) for each in numbers])
        return consumer


def _end(consumer: Consumer, partition: TopicPartition, deadline: float) -> int:
    """Ask for the end of a partition, again while brokers come back.

    A broker that stood still is no longer named by the metadata until its controller has heard of
    it: a client then drops its connection, knows no broker at all or finds no leader.
    """
    while True:
        try:
            _, end = consumer.get_watermark_offsets(partition, _ANSWER_S)
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return end


def _checked(messages: list[Message]) -> list[Message]:
    for message in messages:
        assert message.error() is None, message.error()
    return messages
