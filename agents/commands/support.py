"""`chargewatch support`: what is asked for when something is wrong, in one file."""

import os
from pathlib import Path

import click

from agents.settings.schema import Settings
from agents.support.bundle import write_bundle
from agents.terminal.connection import client_of
from agents.terminal.options import with_settings
from streams.kafka.topics import Topics


@click.command("support", epilog="Example: chargewatch support bundle.zip --log worker.log")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--log",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The log of a process, whose last lines are wanted",
)
@click.option(
    "--metrics",
    metavar="URL",
    help="Page of metrics of a process  [default: that of the worker on this machine]",
)
@with_settings("bootstrap_servers", "topic_prefix", "application_id", "state_dir", "web_port")
def command(settings: Settings, file: Path, log: Path | None, metrics: str | None) -> None:
    """Write versions, settings, topics, lag, sizes of the state, metrics and log lines to a file.

    Brokers that do not answer are told in it. Without tokens of cards, keys, passwords, addresses
    or e-mails: of texts only words are left that can be nothing else. Look into it before you send
    it.
    """
    admin, _ = client_of(settings)
    topics = Topics(settings.topic_prefix)
    url = metrics or f"http://127.0.0.1:{settings.web_port}/metrics"
    missing = write_bundle(file, settings, os.environ, admin, topics, log, url)
    for line in missing:
        click.echo(f"Not in it: {line}", err=True)
    click.echo(f"{file}")
