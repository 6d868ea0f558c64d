"""Least rights on a secured Kafka: each part works with its own, and says which one it lacks."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import orjson
import pytest

from deploy.kafka_cluster import KafkaCluster
from streams.kafka.access import NotAllowedError
from streams.kafka.clients import Clients
from streams.kafka.config import Admin, client_config
from streams.kafka.editor import Editor, Written
from streams.kafka.partition_reader import PartitionReader
from streams.kafka.publisher import Publisher
from streams.kafka.roles import ROLES
from streams.kafka.subscriber import Subscriber
from streams.kafka.topics import Topics
from streams.kafka.transactional_producer import TransactionalProducer
from tests.integration.access_lists import (
    AUTHORIZER_LOG,
    Granted,
    asked_by,
    granted_by,
    invoke,
    rights_of,
    unused,
)
from tests.integration.gateway import ask, charge, charge_request
from tests.integration.person import PASSWORD, Person
from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from streams.kafka.config import Config

PARTITIONS = "2"


@pytest.fixture(scope="module")
def kafka() -> Iterator[KafkaCluster]:
    """Give one node, which decides as several do."""
    with KafkaCluster(1, AUTHORIZER_LOG) as made:
        yield made


class Installation:
    """Users of every role, with their rights, on topics that the operator has made."""

    def __init__(self, kafka: KafkaCluster, prefix: str) -> None:
        self.kafka = kafka
        self.topics = Topics(prefix)
        self.rights: dict[str, list[Granted]] = {}
        self.env: dict[str, dict[str, str]] = {}
        own = {"CHARGEWATCH_TOPIC_PREFIX": prefix, "CHARGEWATCH_SESSION_TIMEOUT_MS": "6000"}
        for role in ROLES:
            user = f"{prefix}{role}"
            self.env[role] = kafka.add_user(user) | own
            self.rights[role] = rights_of(role, user, self.env[role])
        self.give(*(right for rights in self.rights.values() for right in rights))
        made = self.run("operator", "topics", "--partitions", PARTITIONS)
        assert "created" in made

    def run(self, role: str, *arguments: str) -> str:
        done = invoke(self.env[role], *arguments)
        assert done.exit_code == 0, done.output
        return str(done.output)

    def clients(self, role: str) -> Clients:
        return Clients(self.config(role))

    def config(self, role: str) -> Config:
        env = self.env[role]
        return client_config(env["KAFKA_BOOTSTRAP_SERVERS"], env)

    def give(self, *rights: Granted) -> None:
        self.kafka.allow([right.binding() for right in rights])

    def take(self, role: str, operation: str, name: str) -> Granted:
        """Take a right away, and return it."""
        [right] = [
            right
            for right in self.rights[role]
            if (right.operation, right.name) == (operation, f"{self.topics.prefix}{name}")
        ]
        self.kafka.take_away([right.filter()])
        return right


@pytest.fixture
def installed(kafka: KafkaCluster, prefix: str) -> Installation:
    return Installation(kafka, prefix)


def until(is_so: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def mended_by(text: str) -> list[Granted]:
    """Return the rights of the one command that a text ends with."""
    found = re.findall(r"this does: (kafka-acls\.sh [^'\n]*)", text)
    assert found, text
    return granted_by(found[-1])


def test_every_role_works_with_its_rights_and_uses_them_all(
    installed: Installation, tmp_path: Path
) -> None:
    kafka, topics = installed.kafka, installed.topics
    token = installed.run("operator", "keys", "add", "shop").split()[-1]
    people = {"env": installed.env["operator"]}
    assert people
    installed.run("operator", "rules", "list")
    installed.run("operator", "models")
    events = tmp_path / "charges.jsonl"
    events.write_bytes(b"".join(orjson.dumps(charge(n)) + b"\n" for n in range(50)))
    with (
        WorkerProcess(tmp_path / "worker", installed.env["worker"]) as worker,
        WorkerProcess(tmp_path / "serve", installed.env["serve"], verb="serve") as api,
        Subscriber(installed.config("subscriber"), [topics.scored]) as subscriber,
    ):
        installed.run("producer", "publish", str(events))
        api.wait_until_ready()
        worker.wait_until_ready()
        scored = set[str]()
        until(lambda: len(scored := scored | read(subscriber)) >= 50, "scored")
        [reply] = ask(api.port, charge_request(charge("api"), token, 20_000))
        assert reply.status == 200, reply.body
        for role in ("worker", "serve", "producer", "subscriber"):
            allowed, denied = asked_by(kafka, f"{topics.prefix}{role}")
            print(role, "denied", denied, "unused", unused(installed.rights[role], allowed))
