"""`python -m tests.deploy.rotation`: passwords, tokens and certificates that change in operation.

A worker, an API and a console run on three brokers with the least rights of their roles while
charges come in. What lets them in is spoiled, for a while refused, and mended. Every charge has to
be scored once, whatever happened meanwhile. Takes about a quarter of an hour.
"""

from __future__ import annotations

import os
import ssl
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from deploy.kafka_cluster import KafkaCluster
from streams.kafka.topics import Topics
from tests.deploy.stream import TIMEOUT_S, Stream, until
from tests.integration.access_lists import rights_of
from tests.integration.broker_classes import java_options
from tests.integration.gateway import ask, charge, charge_request
from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Self

VERBS: Final = ("worker", "serve", "console")
GOES_ON_S: Final = 10.0
TOKEN_LIFETIME: Final = timedelta(seconds=30)
CERTIFICATE_LIFETIME: Final = timedelta(seconds=180)


class Trial:
    """The parts of an installation that run, by their verbs."""

    def __init__(self, kafka: KafkaCluster, name: str, directory: Path) -> None:
        self.kafka = kafka
        self.name = name
        self.directory = directory / name
        self.directory.mkdir()
        self.topics = Topics(f"{name}.")
        self.env: dict[str, dict[str, str]] = {}
        self.parts: dict[str, WorkerProcess] = {}
        self._entered = ExitStack()

    def __enter__(self) -> Self:
        self.stream = self._entered.enter_context(Stream(self.kafka, self.topics))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            for verb, part in self.parts.items():
                error.add_note(f"The end of the log of {verb}:\n{part.text()[-3000:]}")
        self._entered.close()

    def user(self, verb: str) -> str:
        return f"{self.name}-{verb}"

    def let_in(self, verb: str, env: dict[str, str]) -> None:
        """Take the variables of a user, give it its rights, and start its part."""
        own = {"CHARGEWATCH_TOPIC_PREFIX": self.topics.prefix}
        self.env[verb] = env | own | {"CHARGEWATCH_SESSION_TIMEOUT_MS": "6000"}
        rights = rights_of(verb, self.user(verb), self.env[verb])
        self.kafka.allow([right.binding() for right in rights])
        self.start(verb)

    def start(self, verb: str) -> None:
        part = WorkerProcess(self.directory / verb, self.env[verb], verb=verb)
        self.parts[verb] = self._entered.enter_context(part)

    def await_ready(self) -> None:
        """Wait until all parts are; those that have ended are started again, as by a supervisor."""
        for verb, part in list(self.parts.items()):
            if part.process.poll() is not None:
                self.tell(f"{verb} has ended, and is started again")
                self.start(verb)
            self.parts[verb].wait_until_ready(TIMEOUT_S)

    def restart_brokers(self) -> None:
        """Restart one after the other, so that every part has to connect anew."""
        for place in range(len(self.kafka.nodes)):
            self.kafka.wait_until_in_sync()
            self.kafka.restart_node(place)

    def go_on(self, what: str) -> None:
        """Look for a while whether everything works, and tell how long a charge waited."""
        began = time.monotonic()
        time.sleep(GOES_ON_S)
        self.stream.await_scored()
        [reply] = ask(self.parts["serve"].port, charge_request(charge(f"api-{began}"), "", 5_000))
        answers = [part.page("/readyz")[0] for part in self.parts.values()]
        if reply.status != 200 or answers != [200] * len(answers):
            raise AssertionError(f"{self.name}: {what}: {reply.status} {answers}")
        self.tell(f"{what}: no charge waited longer than {max(self.stream.waited_s(began)):.2f} s")

    def await_refusal(self, said: str) -> None:
        """Wait until every part has said why it is not let in."""
        for verb, part in self.parts.items():
            until(lambda part=part: said in part.text(), f"{verb} says {said}")  # type: ignore[misc]
            line = next(line for line in part.text().splitlines() if said in line)
            self.tell(f"{verb}: {line}")

    def verify(self) -> None:
        """Look whether each charge was scored once."""
        self.stream.await_scored()
        wrong = {id_: n for id_, n in self.stream.times.items() if n != 1}
        if wrong:
            raise AssertionError(f"{self.name}: not scored once: {wrong}")
        self.tell(f"{len(self.stream.waited)} charges, each scored once")

    def tell(self, what: str) -> None:
        click.echo(f"{self.name}: {what}")


def passwords(trial: Trial) -> None:
    """Change them on the brokers, and in the files once they have been refused."""
    files = {verb: trial.directory / f"{verb}.password" for verb in VERBS}

    def change(verb: str) -> dict[str, str]:
        env = trial.kafka.add_user(trial.user(verb))
        in_file[verb] = env.pop("KAFKA_SASL_PASSWORD")
        return env | {"KAFKA_SASL_PASSWORD_FILE": str(files[verb])}

    in_file: dict[str, str] = {}
    for verb in VERBS:
        env = change(verb)
        files[verb].write_text(in_file[verb])
        trial.let_in(verb, env)
    trial.await_ready()
    trial.go_on("at first")
    for verb in VERBS:
        change(verb)
        files[verb].write_text(in_file[verb])
    trial.go_on("changed on the brokers, then in the files")
    began = time.monotonic()
    trial.restart_brokers()
    trial.stream.await_scored()
    trial.tell(f"brokers restarted: a charge waited {max(trial.stream.waited_s(began)):.2f} s")
    trial.go_on("after that")
    for verb in VERBS:
        change(verb)
    trial.go_on("changed on the brokers alone")
    trial.restart_brokers()
    trial.await_refusal("mend KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD")
    for verb in VERBS:
        files[verb].write_text(in_file[verb])
    trial.await_ready()
    trial.stream.await_scored()
    trial.go_on("changed in the files, too")


def tokens(trial: Trial) -> None:
    """Have the issuer give none for longer than they are valid."""
    issuer = trial.kafka.issuer
    issuer.lifetime = TOKEN_LIFETIME
    for verb in VERBS:
        trial.let_in(verb, trial.kafka.add_token_user(trial.user(verb)))
    trial.await_ready()
    time.sleep(2 * TOKEN_LIFETIME.total_seconds())
    trial.go_on("after new tokens")
    clients = dict(issuer.clients)
    issuer.clients.clear()
    trial.await_refusal("mend KAFKA_SASL_OAUTHBEARER_")
    until(lambda: trial.parts["serve"].page("/readyz")[0] != 200, "the last token has expired")
    issuer.clients.update(clients)
    trial.await_ready()
    trial.stream.await_scored()
    trial.go_on("once the issuer knows them again")


def certificates(trial: Trial) -> None:
    """Renew the brokers'; let the clients' expire, and renew them with a restart."""
    began = time.monotonic()
    for verb in VERBS:
        trial.let_in(verb, trial.kafka.add_certificate(trial.user(verb), CERTIFICATE_LIFETIME))
    trial.await_ready()
    trial.go_on("at first")
    before = shown_by(trial.kafka)
    trial.kafka.renew_certificate()
    until(lambda: shown_by(trial.kafka).isdisjoint(before), "the brokers show the new one")
    trial.go_on("those of the brokers renewed")
    time.sleep(max(0.0, began + CERTIFICATE_LIFETIME.total_seconds() + 10.0 - time.monotonic()))
    trial.go_on("expired")
    trial.restart_brokers()
    trial.await_refusal("mend or renew the certificate that KAFKA_SSL_CERTIFICATE_LOCATION")
    for verb in VERBS:
        trial.kafka.add_certificate(trial.user(verb))  # in the same files
        trial.parts[verb].stop()
        trial.start(verb)
    trial.await_ready()
    trial.stream.await_scored()
    trial.go_on("renewed, and the parts restarted")


def shown_by(kafka: KafkaCluster) -> set[str]:
    """Return the certificates that the brokers show."""
    places = [place.split(":") for place in kafka.env["KAFKA_BOOTSTRAP_SERVERS"].split(",")]
    return {ssl.get_server_certificate((host, int(port))) for host, port in places}


WAYS: Final[dict[str, Callable[[Trial], None]]] = {
    "passwords": passwords,
    "tokens": tokens,
    "certificates": certificates,
}


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(WAYS)))
def main(only: Iterable[str]) -> None:
    """Change passwords, tokens and certificates while a worker, an API and a console run."""
    os.environ.setdefault("JDK_JAVA_OPTIONS", java_options())
    with KafkaCluster() as kafka, tempfile.TemporaryDirectory(prefix="chargewatch-") as directory:
        for name in only or WAYS:
            with Trial(kafka, name, Path(directory)) as trial:
                WAYS[name](trial)
                trial.verify()
    sys.exit(0)


if __name__ == "__main__":
    main()
