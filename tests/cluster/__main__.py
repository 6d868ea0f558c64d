"""`python -m tests.cluster`: a secured Kafka of three brokers to try things on, until Ctrl-C."""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
from pathlib import Path

import click

from deploy.kafka_cluster import ADMINISTRATOR, BROKERS, KafkaCluster
from deploy.kafka_jars import LocalKafkaError
from streams.kafka.access import commands
from streams.kafka.config import Admin, client_config
from streams.kafka.roles import ROLES
from streams.kafka.topics import DEFAULT_PARTITIONS, Topics, ensure_topics
from tests.integration.access_lists import granted_by

OUT = Path("build/cluster")
PROPERTIES = OUT / "administrator.properties"
GROUP = "chargewatch"


@click.command()
@click.option("--brokers", default=BROKERS, show_default=True)
@click.option("--partitions", default=DEFAULT_PARTITIONS, show_default=True)
def main(brokers: int, partitions: int) -> None:
    """Start it, make topics and a user of every role, and print how to use them."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # and so end what was started
    click.echo(f"starting {brokers} brokers, for some seconds")
    try:
        with KafkaCluster(brokers) as kafka:
            _prepare(kafka, partitions)
            _tell(kafka, partitions)
            signal.pause()
    except LocalKafkaError as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        click.echo("ended")
    finally:
        shutil.rmtree(OUT, ignore_errors=True)


def _prepare(kafka: KafkaCluster, partitions: int) -> None:
    """Make topics, and a user with the least rights of each role."""
    env, topics = kafka.env, Topics()
    servers = env["KAFKA_BOOTSTRAP_SERVERS"]
    ensure_topics(Admin(client_config(servers, env)), topics, partitions)
    OUT.mkdir(parents=True, exist_ok=True)
    administrator = kafka.add_user(ADMINISTRATOR)
    _write(ADMINISTRATOR, administrator)
    _private(PROPERTIES).write_text(_properties(administrator), encoding="utf-8")
    for role, what in ROLES.items():
        _write(role, kafka.add_user(role))
        _write(f"{role}.token", kafka.add_token_user(role))
        lines = commands(what.rights(topics, GROUP), f"User:{role}", servers)
        kafka.allow([right.binding() for line in lines for right in granted_by(line)])


def _write(user: str, env: dict[str, str]) -> None:
    """Write the variables of a user where this user alone can read them."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in env.items()]
    _private(OUT / f"{user}.env").write_text("".join(lines), encoding="utf-8")


def _private(file: Path) -> Path:
    file.touch(mode=0o600)
    return file


def _properties(env: dict[str, str]) -> str:
    """Return the settings by which Kafka's own commands are a user with a password."""
    login = (
        "org.apache.kafka.common.security.scram.ScramLoginModule required "
        f'username="{env["KAFKA_SASL_USERNAME"]}" password="{env["KAFKA_SASL_PASSWORD"]}";'
    )
    return (
        f"security.protocol={env['KAFKA_SECURITY_PROTOCOL']}\n"
        f"sasl.mechanism={env['KAFKA_SASL_MECHANISM']}\n"
        f"sasl.jaas.config={login}\n"
        "ssl.truststore.type=PEM\n"
        f"ssl.truststore.location={env['KAFKA_SSL_CA_LOCATION']}\n"
    )


def _tell(kafka: KafkaCluster, partitions: int) -> None:
    ids = ", ".join(f"{n.node_id} (pid {n.process.pid})" for n in kafka.nodes if n.process)
    click.echo(f"brokers {ids}; logs in {kafka.nodes[0].directory.parent}/node-*/log")
    click.echo(f"all topics of Chargewatch are there, with {partitions} partitions")
    click.echo("users, each with a file of variables for its commands:")
    for role, what in ROLES.items():
        click.echo(f"  {OUT / role}.env  {what.does}")
    click.echo(f"  {OUT / ADMINISTRATOR}.env  everything; {PROPERTIES} for Kafka's own commands")
    click.echo(f"  {OUT}/ROLE.token.env  the same users, with tokens of {kafka.issuer.url}")
    click.echo("for example, each in a terminal of its own:")
    for verb, role in {"worker": "worker", "simulate": "producer", "watch": "subscriber"}.items():
        click.echo(f"  (. {OUT / role}.env; .venv/bin/chargewatch {verb})")
    click.echo("Ctrl-C ends it, and removes all of its data")


if __name__ == "__main__":
    main()
