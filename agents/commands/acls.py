"""`chargewatch acls`: prints the commands that give a part of an installation its rights."""

import click

from agents.settings.schema import Settings
from agents.settings.sources import KAFKA_VARIABLE, SettingsError
from agents.terminal.options import with_settings
from streams.kafka.access import commands
from streams.kafka.roles import ROLES
from streams.kafka.topics import Topics


@click.command("acls", epilog="Example: chargewatch acls worker User:fraud-worker | sh")
@click.argument("role", type=click.Choice(list(ROLES)))
@click.argument("principal", metavar="PRINCIPAL")
@with_settings("bootstrap_servers", "topic_prefix", "application_id")
def command(settings: Settings, role: str, principal: str) -> None:
    """Print the commands that allow a principal, such as User:worker, what a role needs.

    They are Kafka's own, for an administrator to run: administrator.properties has the settings
    that reach the brokers as one. Running them again changes nothing.
    """
    if not settings.bootstrap_servers:
        raise SettingsError(f"{KAFKA_VARIABLE}: not set; set it to the addresses of your brokers")
    if ":" not in principal:
        raise SettingsError(f"PRINCIPAL: expected a type and a name, such as User:{principal}")
    topics = Topics(settings.topic_prefix)
    rights = ROLES[role].rights(topics, settings.application_id)
    for line in commands(rights, principal, settings.bootstrap_servers):
        click.echo(line)
