"""The command `keys` on a real Kafka: what people see of it, and what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from agents.commands import chargewatch
from agents.settings.schema import Settings
from agents.web.api.key_topic import KeyTopic
from streams.kafka.config import Admin
from streams.kafka.topics import Topics, ensure_topics

if TYPE_CHECKING:
    from tests.integration.kafka import Kafka


class Keys:
    """The command, on an installation of its own."""

    def __init__(self, kafka: Kafka, prefix: str) -> None:
        self.kafka = kafka
        self.topics = Topics(prefix)
        self.env = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "CHARGEWATCH_TOPIC_PREFIX": prefix,
        }
        ensure_topics(Admin(kafka.config), self.topics, 1)
        self.topic = KeyTopic(
            Settings(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=prefix)
        )

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(chargewatch, ["keys", *arguments], env=self.env)


@pytest.fixture
def keys(kafka: Kafka, prefix: str) -> Keys:
    return Keys(kafka, prefix)


def test_a_key_from_its_making_to_its_end(keys: Keys) -> None:
    assert "There are no keys" in keys("list").output
    added = keys("add", "checkout", "--scope", "charges", "--scope", "labels", "--by", "ann")
    assert added.exit_code == 0
    token = added.stdout.strip()
    found = keys.topic.read().find(token)
    assert found is not None
    assert (found.name, found.scopes, found.by) == ("checkout", ("charges", "labels"), "ann")
    written = keys.kafka.consume(keys.topics.keys, 1)[0].value() or b""
    assert token.rpartition("_")[2].encode() not in written
    listed = keys("list").output
    assert found.id in listed
    assert "checkout" in listed
    assert token.rpartition("_")[2] not in listed
    assert keys("revoke", found.id).exit_code == 0
    assert keys.topic.read().find(token) is None
    assert "UTC" in keys("list").output.rpartition("ann")[2]


def test_a_key_that_there_is_not(keys: Keys) -> None:
    result = keys("revoke", "000000000000")
    assert result.exit_code == 1
    assert result.output.startswith("Error: 000000000000: there is no such key")
    assert keys("add", "checkout").exit_code == 2
    assert keys("add", "checkout", "--scope", "money").exit_code == 2
    assert keys.topic.read().is_empty
