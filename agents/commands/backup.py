"""`chargewatch backup`: writes an installation to files."""

from pathlib import Path

import click

from agents.backup.backup import Backup
from agents.settings.schema import Settings
from agents.terminal.connection import connect
from agents.terminal.options import with_settings
from streams.kafka.topics import Topics


@click.command("backup", epilog="Example: chargewatch backup /backups/2026-11-30 --state")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--state",
    "has_state",
    is_flag=True,
    help="The state of the tasks, too; all workers have to be stopped",
)
@with_settings("bootstrap_servers", "topic_prefix", "application_id", "state_dir")
def command(settings: Settings, directory: Path, *, has_state: bool) -> None:
    """Write what people decided, users and keys, and the models to a directory.

    It holds hashes of passwords and of API keys, and with --state tokens of cards: keep it as you
    keep the brokers.
    """
    topics = Topics(settings.topic_prefix)
    admin, config = connect(settings, topics.models, topics.installation)
    Backup(settings, admin, config, topics, click.echo).write(directory, has_state=has_state)
