"""Least rights on a secured Kafka: each part works with its own, and says which one it lacks."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from deploy.kafka_cluster import KafkaCluster
from streams.errors import OperationalError
from streams.kafka.clients import Clients
from streams.kafka.config import client_config
from streams.kafka.partition_reader import PartitionReader
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
from tests.integration.person import Person
from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.http_load import Reply

PARTITIONS = "2"
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def kafka() -> Iterator[KafkaCluster]:
    """Give one node, which decides as several do."""
    with KafkaCluster(1, AUTHORIZER_LOG) as made:
        yield made


class Installation:
    """Users of every role, with their rights, on topics that the operator has made."""

    def __init__(self, kafka: KafkaCluster, prefix: str, directory: Path) -> None:
        self.kafka = kafka
        self.topics = Topics(prefix)
        self.rights: dict[str, list[Granted]] = {}
        self.env: dict[str, dict[str, str]] = {}
        own = {
            "CHARGEWATCH_TOPIC_PREFIX": prefix,
            "CHARGEWATCH_SESSION_TIMEOUT_MS": "6000",
            "CHARGEWATCH_STATE_DIR": str(directory / "state"),
        }
        for role in ROLES:
            user = f"{prefix}{role}"
            self.env[role] = kafka.add_user(user) | own
            self.rights[role] = rights_of(role, user, self.env[role])
        self.give(*(right for rights in self.rights.values() for right in rights))
        until(lambda: self.tries("operator", "topics", "--partitions", PARTITIONS), "made")

    def tries(self, role: str, *arguments: str) -> bool:
        """Run a command, and tell whether it was allowed."""
        return bool(invoke(self.env[role], *arguments).exit_code == 0)

    def run(self, role: str, *arguments: str, given: str = "") -> str:
        done = invoke(self.env[role], *arguments, given=given)
        assert done.exit_code == 0, done.output
        return str(done.output)

    def clients(self, role: str) -> Clients:
        env = self.env[role]
        return Clients(client_config(env["KAFKA_BOOTSTRAP_SERVERS"], env))

    def give(self, *rights: Granted) -> None:
        self.kafka.allow([right.binding() for right in rights])

    @contextmanager
    def without(self, role: str, operation: str, name: str) -> Iterator[Granted]:
        """Take a right away for a while, and give it."""
        [right] = [
            right
            for right in self.rights[role]
            if (right.operation, right.name.removeprefix(self.topics.prefix)) == (operation, name)
        ]
        self.kafka.take_away([right.filter()])
        yield right
        self.give(right)

    def process(self, verb: str, directory: Path) -> WorkerProcess:
        return WorkerProcess(directory / verb, self.env[verb], verb=verb)


@pytest.fixture(scope="module")
def installed(kafka: KafkaCluster, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(kafka, "bank.", tmp_path_factory.mktemp("bank"))


def until(is_so: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def mended_by(text: str) -> list[Granted]:
    """Return the rights that the one command of a text gives."""
    found = set(re.findall(r"this does: (kafka-acls\.sh [^'\"\n]*)", text))
    assert len(found) == 1, text
    return granted_by(found.pop())


def test_every_role_works_with_its_rights_and_says_which_one_it_lacks(
    installed: Installation, tmp_path: Path
) -> None:
    kafka, topics = installed.kafka, installed.topics
    token = installed.run("operator", "keys", "add", "shop").split()[-1]
    installed.run("operator", "users", "add", "mia", "--role", "administrator", given=PASSWORD)
    for arguments in (("rules", "list"), ("lists", "list"), ("merchants", "list"), ("models",)):
        installed.run("operator", *arguments)
    events = tmp_path / "charges.jsonl"
    events.write_bytes(b"".join(orjson.dumps(charge(n)) + b"\n" for n in range(50)))
    with ExitStack() as running:
        worker, api, console = (
            running.enter_context(installed.process(verb, tmp_path))
            for verb in ("worker", "serve", "console")
        )
        subscriber = running.enter_context(
            Subscriber(installed.clients("subscriber").config, [topics.scored])
        )
        installed.run("producer", "publish", str(events))
        for process in (worker, api, console):
            process.wait_until_ready()
        scored = 0
        while scored < 50:
            scored += len(subscriber.read(30.0))
        assert _post(api, charge("api"), token).status == 200
        mia = Person(console.port, "mia", PASSWORD)
        put = mia.post(
            "/rules", merchant="*", text="review if :amount: > 5", made_from="0", note=""
        )
        assert "Version 1 is in force" in put.text
        assert "rdkafka" in mia.get("/health").text
        until(lambda: "ch_api" in mia.get("/search?id=ch_api").text, "the read model has it")
        for role in ROLES:
            allowed, denied = asked_by(kafka, f"{topics.prefix}{role}")
            print(role, "denied", denied, "unused", unused(installed.rights[role], allowed))
        _lacks(installed, worker, api, token)


def _post(api: WorkerProcess, body: dict[str, Any], token: str) -> Reply:
    [reply] = ask(api.port, charge_request(body, token, 5_000))
    return reply


def _lacks(installed: Installation, worker: WorkerProcess, api: WorkerProcess, token: str) -> None:
    """Take rights from processes that run."""
    with installed.without("serve", "Write", "charges") as right:
        until(lambda: _post(api, charge("no"), token).status == 503, "the API hears of it")
        assert mended_by(api.text()) == [right]
    until(lambda: _post(api, charge("yes"), token).status == 200, "the API goes on by itself")
    with installed.without("worker", "Write", "scored") as right:
        _post(api, charge("last"), token)
        assert worker.process.wait(60) != 0
        assert mended_by(worker.text()) == [right]
        assert "Traceback" not in worker.text()


def _reads(installed: Installation) -> None:
    reader = PartitionReader(installed.clients("worker"), installed.topics.models, 0)
    try:
        while True:
            reader.read()
    finally:
        reader.close()


def _produces(installed: Installation) -> None:
    name = f"{installed.topics.prefix}chargewatch-test"
    TransactionalProducer(installed.clients("worker"), name, 10_000)


def _command(role: str, *arguments: str) -> Callable[[Installation], None]:
    def run(installed: Installation) -> None:
        done = invoke(installed.env[role], *arguments)
        assert done.exit_code == 1, done.output
        assert done.output.count("\n") == 1
        raise OperationalError(done.output)

    return run


@pytest.mark.parametrize(
    ("role", "operation", "name", "does"),
    [
        ("worker", "Read", "models", _reads),
        ("worker", "Write", "chargewatch-", _produces),
        ("operator", "Read", "rules", _command("operator", "rules", "list")),
        ("operator", "DescribeConfigs", "charges", _command("operator", "topics")),
        ("operator", "Write", "chargewatch.keys", _command("operator", "keys", "add", "x")),
        ("subscriber", "Read", "scored", _command("subscriber", "watch", "--json")),
    ],
)
def test_a_missing_right_is_named_with_the_command_that_gives_it(
    installed: Installation,
    role: str,
    operation: str,
    name: str,
    does: Callable[[Installation], None],
) -> None:
    with (
        installed.without(role, operation, name) as right,
        pytest.raises(OperationalError) as raised,
    ):
        does(installed)
    [mended] = mended_by(str(raised.value))
    assert mended.principal == right.principal
    assert mended.name.startswith(right.name)


def _refused(env: dict[str, str], **changed: str) -> str:
    began = time.monotonic()
    done = invoke(env | changed, "watch")
    assert done.exit_code in {1, 2}, done.output
    assert done.output.count("\n") == 1, done.output
    assert time.monotonic() - began < 30
    return str(done.output)


def test_who_is_not_let_in_reads_why(kafka: KafkaCluster, tmp_path: Path) -> None:
    env = kafka.add_user("somebody", "secret-of-somebody")
    own = kafka.add_certificate("somebody")
    wrong = _refused(env, KAFKA_SASL_PASSWORD="wrong-secret")
    assert "mend KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD" in wrong
    assert "wrong-secret" not in wrong
    file = tmp_path / "password"
    file.write_text("secret-of-somebody\n")
    by_file = {name: value for name, value in env.items() if name != "KAFKA_SASL_PASSWORD"}
    let_in = _refused(by_file, KAFKA_SASL_PASSWORD_FILE=str(file))
    assert "does not allow User:somebody the operation Describe on topic scored" in let_in
    strange = _refused(env, KAFKA_SSL_CA_LOCATION=own["KAFKA_SSL_CERTIFICATE_LOCATION"])
    assert "mend KAFKA_SSL_CA_LOCATION" in strange
    expired = _refused(kafka.add_certificate("late", timedelta(minutes=-1)))
    assert "renew the certificate that KAFKA_SSL_CERTIFICATE_LOCATION" in expired
