"""`chargewatch demo`: a complete local run, shown live."""

import re
import shutil
import sys
import time
from io import StringIO
from typing import TextIO

import click
from msgspec.structs import replace
from rich.console import Console

from agents.demo.closing import summary
from agents.demo.interruption import Interruption
from agents.demo.run import run
from agents.demo.scenario import Play, Scenario
from agents.demo.screen import Screen
from agents.demo.views import WIDTH
from agents.settings.schema import Settings
from agents.settings.sources import SettingsError
from agents.terminal.options import with_settings
from streams.simulator.world.facts import COUNTRIES

_INTERRUPTED = 130
_PICTURE_LINES = 30
_WEB_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


@click.command("demo", epilog="Example: chargewatch demo --live-seconds 300")
@click.option(
    "--live-seconds",
    type=click.IntRange(min=5, max=3600),
    default=70,
    show_default=True,
    help="Length of the live part",
)
@click.option(
    "--svg",
    type=click.File("w", lazy=False),
    help="File for a picture of the last live view and the summary",
)
@click.option(
    "--stay", is_flag=True, help="Leave the console up, with the stream going on, until Ctrl-C"
)
@with_settings("bootstrap_servers", "topic_prefix")
def command(settings: Settings, live_seconds: int, svg: TextIO | None, *, stay: bool) -> None:
    """Run everything on this machine and show it live.

    It starts an Apache Kafka, unless one is configured, makes the topics, runs a worker and the
    console, and plays two months of simulated charges and disputes: most of them as fast as they
    are scored, the last days at a steady rate and with its actions carried out. It ends with a
    summary of the run, and leaves nothing behind but its topics on a Kafka that was configured.
    """
    _check_rates(settings)
    settings = replace(settings, mapping="", signals=())  # its charges are as they are here
    play = Play(Scenario(live_s=live_seconds, stays=stay), time.time())
    console = Console(width=min(WIDTH, shutil.get_terminal_size((WIDTH, 30)).columns))
    screen = Screen(console, play.scenario)
    try:
        with Interruption() as interruption:
            report = run(settings, play, screen, interruption.sleep)
    except KeyboardInterrupt:
        click.echo("Stopped before the end; what the demo started is gone.", err=True)
        sys.exit(_INTERRUPTED)
    if svg is not None:
        picture = Console(record=True, width=WIDTH, height=_PICTURE_LINES, file=StringIO())
        picture.print(screen.last_view(picture.height), summary(report))
        # With the reader's own monospace font in place of one from the web.
        svg.write(_WEB_FONT.sub("", picture.export_svg(title="chargewatch demo")))


def _check_rates(settings: Settings) -> None:
    rates = settings.input_rules.rates
    if lacking := {country.currency for country in COUNTRIES if country.currency not in rates}:
        raise SettingsError(
            f"currency_rates: {rates.file}: the demo also needs {', '.join(sorted(lacking))}"
        )
