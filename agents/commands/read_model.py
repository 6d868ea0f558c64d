"""`chargewatch read-model`: keeps the read model of the console, or builds it again."""

import signal

import click

from agents.process import collecting_rarely
from agents.settings.schema import Settings
from agents.terminal.options import with_settings
from agents.web.read_model.keeping.building_progress import BuildingProgress
from agents.web.read_model.keeping.from_settings import follower_of
from agents.worker.logs import setup_logging


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
