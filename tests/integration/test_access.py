"""Least rights on a secured Kafka: each part works with its own, and says which one it lacks."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from streams.errors import OperationalError
from streams.kafka.clients import Clients
from streams.kafka.config import client_config
from streams.kafka.partition_reader import PartitionReader
from streams.kafka.roles import ROLES
from streams.kafka.subscriber import Subscriber
from streams.kafka.topics import Topics
from streams.kafka.transactional_producer import TransactionalProducer
from tests.integration.access_lists import (
    Granted,
    asked_by,
    granted_by,
    invoke,
    rights_of,
    unused,
)
from tests.integration.gateway import ask, charge, charge_request
from tests.integration.http_load import request
from tests.integration.person import Person
from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from deploy.kafka_cluster import KafkaCluster
    from tests.integration.http_load import Reply

PARTITIONS = "2"
PASSWORD = "correct horse battery"
NEW_KEY = ("keys", "add", "shop", "--scope", "charges", "--scope", "rules")
USED = (
    ("topics",), ("models",), ("merchants", "set", "m1", "preset=protect"), ("rules", "log"),
    ("lists", "add", "blocked_cards", "tok_none"), ("rules", "show"), ("models", "estimates"),
)  # fmt: skip
SIMULATED = ("simulate", "--days", "0.01", "--cards", "50", "--merchants", "5")


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
    def without(self, role: str, operation: str, kind: str, name: str) -> Iterator[Granted]:
        """Take a right away for a while, and give it."""
        own = f"{self.topics.prefix}{name}"
        [right] = [each for each in self.rights[role] if each[1:4] == (operation, kind, own)]
        self.kafka.take_away([right.filter()])
        yield right
        self.give(right)

    def process(self, verb: str, directory: Path) -> WorkerProcess:
        return WorkerProcess(directory / verb, self.env[verb], verb=verb)


@pytest.fixture(scope="module")
def installed(secured: KafkaCluster, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(secured, "bank.", tmp_path_factory.mktemp("bank"))


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


def test_every_role_works_with_its_rights_needs_them_and_says_which_one_it_lacks(
    installed: Installation, tmp_path: Path
) -> None:
    kafka, topics = installed.kafka, installed.topics
    token = installed.run("operator", *NEW_KEY).split()[-1]
    installed.run("operator", "users", "add", "mia", "--role", "administrator", given=PASSWORD)
    for arguments in USED:
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
        edit = request("PUT", "/v1/merchants/m2", b'{"fallback":"review"}', token)
        assert ask(api.port, edit)[0].status == 200
        mia = Person(console.port, "mia", PASSWORD)
        put = mia.post(
            "/rules", merchant="*", text="review if :amount: > 5", made_from="0", note=""
        )
        assert "Version 1 is in force" in put.text
        assert "rdkafka" in mia.get("/health").text
        assert mia.post("/users", name="bob", role="analyst", password=PASSWORD).status == 200
        of_charge = {"charge": "ch_api", "card": "tok_api", "before": "", "queue": ""}
        until(lambda: "ch_api" in mia.get("/search?id=ch_api").text, "the read model has it")
        assert mia.post("/charge/note", **of_charge, text="called them").status == 200
        assert mia.post("/charge/verdict", **of_charge, verdict="fraud").status == 200
        for role in ROLES.keys() - {"read-model"}:  # which is a part of the console
            allowed, denied = asked_by(kafka, f"{topics.prefix}{role}")
            assert denied == set(), role
            assert unused(installed.rights[role], allowed) == set(), role
        _lacks(installed, worker, api, token)


def _post(api: WorkerProcess, body: dict[str, Any], token: str) -> Reply:
    [reply] = ask(api.port, charge_request(body, token, 5_000))
    return reply


def _lacks(installed: Installation, worker: WorkerProcess, api: WorkerProcess, token: str) -> None:
    """Take rights from processes that run."""
    with installed.without("serve", "Write", "topic", "charges") as right:
        until(lambda: _post(api, charge("no"), token).status == 503, "the API hears of it")
        assert mended_by(api.text()) == [right]
    until(lambda: _post(api, charge("yes"), token).status == 200, "the API goes on by itself")
    with installed.without("worker", "Write", "topic", "scored") as right:
        _post(api, charge("last"), token)
        assert worker.process.wait(60) != 0
        assert mended_by(worker.text()) == [right]
        assert "Traceback" not in worker.text()


def _reads(installed: Installation) -> None:
    reader = PartitionReader(installed.clients("worker"), installed.topics.models, 0)
    try:
        for _ in reader.read_to_end():
            pass
        for _ in range(20):  # the brokers hear of what is taken away a moment later
            reader.read()
    finally:
        reader.close()


def _produces(installed: Installation) -> None:
    name = f"{installed.topics.prefix}chargewatch-test"
    TransactionalProducer(installed.clients("worker"), name, 10_000)


def _subscribes(installed: Installation) -> None:
    config = installed.clients("subscriber").config
    with Subscriber(config, [installed.topics.scored], from_beginning=True) as subscriber:
        subscriber.read(2.0)


def _command(role: str, *arguments: str) -> Callable[[Installation], None]:
    def run(installed: Installation) -> None:
        done = invoke(installed.env[role], *arguments)
        if done.exit_code:
            assert done.exit_code == 1, done.output
            assert done.stderr.count("Error: ") == 1, done.output
            assert done.stderr.splitlines()[-1].startswith("Error: "), done.output
            raise OperationalError(done.output)

    return run


def _is_refused(does: Callable[[Installation], None], installed: Installation) -> bool:
    try:
        does(installed)
    except OperationalError:
        return True
    return False


@pytest.mark.parametrize(
    ("role", "operation", "kind", "name", "does"),
    [
        ("worker", "Read", "topic", "models", _reads),
        ("worker", "Write", "transactional_id", "chargewatch-", _produces),
        ("operator", "Read", "topic", "rules", _command("operator", "rules", "show")),
        ("operator", "DescribeConfigs", "topic", "charges", _command("operator", "topics")),
        (
            "operator",
            "Write",
            "transactional_id",
            "chargewatch.keys",
            _command("operator", *NEW_KEY),
        ),
        ("producer", "Write", "topic", "charges", _command("producer", *SIMULATED)),
        ("subscriber", "Read", "topic", "scored", _subscribes),
    ],
)
def test_a_missing_right_is_named_until_the_commands_that_are_shown_have_mended_it(
    installed: Installation,
    role: str,
    operation: str,
    kind: str,
    name: str,
    does: Callable[[Installation], None],
) -> None:
    does(installed)
    given = set[Granted]()
    deadline = time.monotonic() + 30.0
    with installed.without(role, operation, kind, name) as right:
        until(lambda: _is_refused(does, installed), "it is refused")
        while True:
            assert time.monotonic() < deadline, given
            try:
                does(installed)
            except OperationalError as error:
                mended = mended_by(str(error))
                installed.give(*mended)
                given.update(mended)
            else:
                break
    assert given
    assert {(each.principal, each.kind) for each in given} == {(right.principal, right.kind)}


def told_by_a_command(env: dict[str, str], **changed: str) -> str:
    """Return the one line of a command that is not let in."""
    began = time.monotonic()
    done = invoke(env | changed, "watch")
    assert done.exit_code in {1, 2}, done.output
    assert done.output.count("\n") == 1, done.output
    assert time.monotonic() - began < 30
    return str(done.output)


def test_who_is_not_let_in_reads_why(secured: KafkaCluster, tmp_path: Path) -> None:
    env = secured.add_user("somebody", "secret-of-somebody")
    own = secured.add_certificate("somebody")
    wrong = told_by_a_command(env, KAFKA_SASL_PASSWORD="wrong-secret")
    assert "mend KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD" in wrong
    assert "wrong-secret" not in wrong
    file = tmp_path / "password"
    file.write_text("secret-of-somebody\n")
    by_file = {name: value for name, value in env.items() if name != "KAFKA_SASL_PASSWORD"}
    let_in = told_by_a_command(by_file, KAFKA_SASL_PASSWORD_FILE=str(file))
    assert "does not allow User:somebody the operation Describe on topic scored" in let_in
    strange = told_by_a_command(env, KAFKA_SSL_CA_LOCATION=own["KAFKA_SSL_CERTIFICATE_LOCATION"])
    assert "mend KAFKA_SSL_CA_LOCATION" in strange
    expired = told_by_a_command(secured.add_certificate("late", timedelta(minutes=-1)))
    assert "renew the certificate that KAFKA_SSL_CERTIFICATE_LOCATION" in expired
