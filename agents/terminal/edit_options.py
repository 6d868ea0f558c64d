"""Options of the commands that edit: who, why, and from which version."""

from collections.abc import Callable
from typing import Any

import click

Command = Callable[..., Any]


def with_signature(command: Command) -> Command:
    """Give a command `made_from`, `by` and `note`."""
    for option in (
        click.option("--note", default="", help="Why, for the log"),
        click.option("--by", help="Who, for the log  [default: the user of this machine]"),
        click.option(
            "--made-from",
            type=click.IntRange(min=0),
            metavar="VERSION",
            help="Version that the edit was made from; refused if another is there  "
            "[default: whichever is there]",
        ),
    ):
        command = option(command)
    return command
