"""`chargewatch console`: the analysts' console."""

import asyncio
import logging
import os
import signal
from functools import partial

import click

from agents.commands.retained_trial import try_on_topics
from agents.settings.schema import Settings
from agents.terminal.connection import connect
from agents.terminal.options import with_settings
from agents.web.access_log import setup_access_log
from agents.web.console.server import checked_address, serve
from agents.web.read_model.keeping.building_progress import BuildingProgress
from agents.web.read_model.keeping.from_settings import follower_of
from agents.worker.logs import setup_logging
from streams.kafka.topics import Topics


@click.command("console", epilog="Example: chargewatch console --console-port 8081")
@with_settings(
    "bootstrap_servers",
    "topic_prefix",
    "application_id",
    "state_dir",
    "read_model_url",
    "read_model_retention_days",
    "console_host",
    "console_port",
    "console_tls_cert",
    "console_tls_key",
    "console_url",
    "console_idle_minutes",
    "console_four_eyes",
    "console_oidc_issuer",
    "console_oidc_client_id",
    "console_oidc_claim",
    "log_level",
)
def command(settings: Settings) -> None:
    """Serve the analysts' console until it is stopped.

    People sign in with names and passwords that `chargewatch users` gives them. Without TLS it is
    open to this machine alone. It keeps its read model by itself (`chargewatch read-model`).
    """
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # until there is something to drain
    checked_address(settings)
    topics = Topics(settings.topic_prefix)
    admin, config = connect(settings, topics.users, topics.audit, topics.scored, topics.proposals)
    setup_logging(settings.log_level)
    setup_access_log()
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # an outage is told once, by the link
    with BuildingProgress() as progress:
        follower = follower_of(settings, progress.tell)
        backtest = partial(try_on_topics, settings)
        asyncio.run(serve(settings, topics, config, admin, follower, backtest))
