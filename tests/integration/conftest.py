"""One Kafka for all integration tests: the one configured, else a local one."""

import os
import uuid
from collections.abc import Iterator

import pytest

from deploy.kafka_cluster import KafkaCluster
from deploy.local_kafka import LocalKafka
from streams.kafka.config import client_config
from tests.integration.access_lists import AUTHORIZER_LOG
from tests.integration.kafka import Kafka


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    configured = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if configured:
        yield Kafka(client_config(configured, os.environ))
        return
    with LocalKafka() as local:
        yield Kafka(client_config(local.bootstrap_servers, {}))


@pytest.fixture
def lone_kafka(kafka: Kafka) -> Iterator[Kafka]:
    """Give a local Kafka, which takes requests that are made by hand: unsecured, of one broker."""
    if not os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield kafka
        return
    with LocalKafka() as local:
        yield Kafka(client_config(local.bootstrap_servers, {}))


@pytest.fixture(scope="session")
def secured() -> Iterator[KafkaCluster]:
    """Give a secured Kafka of one node, which decides as several do."""
    with KafkaCluster(1, AUTHORIZER_LOG) as made:
        yield made


@pytest.fixture
def prefix() -> str:
    """Return a topic prefix that no other test has."""
    return f"test-{uuid.uuid4().hex[:12]}."
