"""The Kafka of the demo: the one that is configured, or else a local one that ends with it."""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import OffsetSpec
from msgspec.structs import replace

from agents.settings.schema import Settings
from agents.terminal.connection import connect
from deploy.kafka_jars import kafka_version
from deploy.local_kafka import LocalKafka
from streams.errors import OperationalError
from streams.kafka.config import SECURITY_SETTINGS, Admin, Config, client_config
from streams.kafka.retry import RetryPolicy
from streams.kafka.topics import Topics, ensure_topics


class DemoError(OperationalError):
    """The demo cannot go on; the message says why."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Kafka to run on.

    Attributes
    ----------
    settings
        Those of the user, with the brokers and the topic prefix of the demo.
    config
        Client settings.
    env
        The environment of processes that use it.
    is_local
        Whether it ends with the demo.
    """

    settings: Settings
    config: Config
    env: Mapping[str, str]
    is_local: bool

    @property
    def name(self) -> str:
        """Which Kafka it is, in words."""
        servers = self.settings.bootstrap_servers
        return f"Apache Kafka {kafka_version()} at {servers}" if self.is_local else servers

    @property
    def topics(self) -> Topics:
        """The names of the demo's topics."""
        return Topics(self.settings.topic_prefix)

    def make_topics(self) -> None:
        """Make the demo's topics.

        Raises
        ------
        DemoError
            When they hold charges already, which the demo's figures would be mixed with.
        """
        admin, charges = Admin(self.config), self.topics.charges
        days = self.settings.label_horizon_days
        reports = {
            report.name: report
            for report in ensure_topics(admin, self.topics, label_horizon_days=days)
        }
        if not reports[charges].created and _is_written(
            admin, charges, reports[charges].partitions
        ):
            raise DemoError(
                f"topic {charges}: holds charges already; give the demo a --topic-prefix of its own"
            )

    def not_taken(self, topic: str) -> int:
        """Return how many events of an input no worker has taken: those behind what is committed.

        Raises
        ------
        KafkaException
            When the brokers do not tell.
        """
        admin = Admin(self.config)
        group = self.settings.group_id
        (found,) = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]).values()
        taken = {
            each.partition: each.offset
            for each in found.result().topic_partitions
            if each.topic == topic
        }
        ends = _ends(admin, topic, len(admin.list_topics(topic).topics[topic].partitions))
        return sum(end - max(0, taken.get(number, 0)) for number, end in enumerate(ends))


@contextmanager
def open_cluster(settings: Settings) -> Iterator[Cluster]:
    """Give the Kafka that is configured, or else start a local one and stop it in the end."""
    if settings.bootstrap_servers:
        if not settings.topic_prefix:
            settings = replace(settings, topic_prefix=f"demo-{uuid.uuid4().hex[:8]}.")
        _, config = connect(settings)
        yield Cluster(settings, config, os.environ, is_local=False)
        return
    with LocalKafka() as kafka:
        settings = replace(settings, bootstrap_servers=kafka.bootstrap_servers)
        # Security settings are for a Kafka that is configured, and this one has none.
        env = {name: v for name, v in os.environ.items() if not SECURITY_SETTINGS.fullmatch(name)}
        yield Cluster(settings, client_config(kafka.bootstrap_servers, {}), env, is_local=True)


def _is_written(admin: Admin, topic: str, partitions: int) -> bool:
    """Tell whether anything was ever written to a topic.

    One that was made a moment ago may have partitions that have no leader yet.
    """
    return RetryPolicy().ask(lambda: any(_ends(admin, topic, partitions)))


def _ends(admin: Admin, topic: str, partitions: int) -> list[int]:
    """Return the offset behind the last message of each partition of a topic."""
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    asked = {TopicPartition(topic, number): latest for number in range(partitions)}
    return [end.result().offset for end in admin.list_offsets(asked).values()]
