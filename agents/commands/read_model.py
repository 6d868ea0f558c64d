"""`chargewatch read-model`: keeps the read model of the console, or builds it again."""

import logging
import signal
from collections.abc import Callable

import click

from agents.process import collecting_rarely
from agents.settings.schema import Settings
from agents.terminal.connection import connect
from agents.terminal.options import with_settings
from agents.web.read_model.database import database_url
from agents.web.read_model.keeping.building_progress import BuildingProgress
from agents.web.read_model.keeping.follower import Follower
from agents.web.read_model.keeping.incoming import Incoming
from agents.worker.logs import setup_logging
from agents.worker.payloads import payloads_of, with_mapped_signals
from streams.kafka.clients import Clients
from streams.kafka.topics import Topics

logger = logging.getLogger(__name__)


@click.command("read-model", epilog="Example: chargewatch read-model --rebuild")
@click.option("--rebuild", is_flag=True, help="Throw away what is there, and build it again")
@with_settings(
    "bootstrap_servers",
    "topic_prefix",
    "state_dir",
    "read_model_url",
    "read_model_retention_days",
    "log_level",
)
def command(settings: Settings, *, rebuild: bool) -> None:
    """Keep the read model of the console up to date until it is stopped.

    `chargewatch console` does it by itself. This is for where it has to be built again, and for an
    API whose GET /v1/charges is wanted without a console.
    """
    with BuildingProgress() as progress:
        follower = follower_of(settings, progress.tell)
        setup_logging(settings.log_level)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: follower.stop())
        with collecting_rarely():
            follower.run(is_anew=rebuild)


def follower_of(settings: Settings, on_progress: Callable[[int, int], None]) -> Follower:
    """Return what keeps the read model of an installation.

    Raises
    ------
    SettingsError, OperationalError
        When a setting is wrong, no broker answers, or a topic is missing.
    """
    settings = with_mapped_signals(settings)
    topics = Topics(settings.topic_prefix)
    url = database_url(settings)
    admin, config = connect(settings, topics.scored, topics.reviews)
    clients = Clients(config)
    incoming = Incoming(settings, topics, payloads_of(settings, clients), clients.retry)
    days = settings.read_model_retention_days
    return Follower(url, incoming, clients, admin, days, on_progress)
