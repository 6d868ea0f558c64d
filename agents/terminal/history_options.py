"""Options of the commands that play a history: mapping, what counts, where a report goes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from agents.terminal.event_files import ALLOW
from agents.terminal.mapped_files import with_map
from agents.terminal.times import Time

Command = Callable[..., Any]


def with_history(report: str) -> Callable[[Command], Command]:
    """Give a command `mapping`, `label_horizon`, `start`, `end`, `report` and `allow_rejected`.

    Parameters
    ----------
    report
        The files of its report.
    """
    options = (
        with_map,
        click.option(
            "--label-horizon",
            type=click.FloatRange(min=0, min_open=True, max=180),
            metavar="DAYS",
            help="A charge not disputed for so long counts as genuine, if its payment method has "
            "no horizon of its own  "
            "[CHARGEWATCH_LABEL_HORIZON_DAYS]",
        ),
        click.option("--from", "start", type=Time(), help="First time that counts"),
        click.option("--to", "end", type=Time(), help="First time that counts no more"),
        click.option(
            "--report",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            help=f"Directory for {report}",
        ),
        click.option(
            ALLOW, is_flag=True, help="Go on even if less than half of a file's events can be used"
        ),
    )

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
