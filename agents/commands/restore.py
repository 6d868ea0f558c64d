"""`chargewatch restore`: puts a backup into an empty installation."""

from pathlib import Path

import click

from agents.backup.restore import Restore
from agents.settings.schema import Settings
from agents.terminal.connection import connect
from agents.terminal.options import with_settings
from streams.kafka.topics import Topics


@click.command("restore", epilog="Example: chargewatch restore /backups/2026-11-30")
@click.argument("directory", type=click.Path(path_type=Path))
@with_settings("bootstrap_servers", "topic_prefix", "application_id")
def command(settings: Settings, directory: Path) -> None:
    """Put a backup into an installation that has nothing yet; it makes the topics.

    Typed again, it goes on where it was stopped; workers do not start before it is done.
    """
    admin, config = connect(settings)
    topics = Topics(settings.topic_prefix)
    Restore(settings, admin, config, topics, click.echo).read(directory)
