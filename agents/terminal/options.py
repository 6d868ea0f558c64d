"""Settings as options, and errors that the user can do something about as one line."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from agents.settings.sources import SettingsError, describe, flag, load_settings, variable
from deploy.local_kafka import LocalKafkaError
from schemas.printable import printable_lines
from streams.errors import OperationalError
from streams.kafka.config import ClientError

WRONG_SETTING, FAILED = 2, 1

Command = Callable[..., None]


class _OneLineError(click.ClickException):
    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(printable_lines(message))
        self.exit_code = exit_code


def with_settings(*names: str) -> Callable[[Command], Command]:
    """Give a command its settings as `settings`, and the named ones as options.

    An error of the settings, of files, of topics or of Kafka becomes one line on stderr: exit code
    2 for a wrong setting, 1 for everything else.
    """

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(config: Path | None, **given: Any) -> None:
            flags = {name: given.pop(name) for name in names}
            try:
                command(settings=load_settings(flags, os.environ, config), **given)
            except (SettingsError, ClientError) as error:
                raise _OneLineError(str(error), WRONG_SETTING) from None
            except (OperationalError, LocalKafkaError) as error:
                raise _OneLineError(str(error), FAILED) from None

        decorated: Command = click.option(
            "--config",
            type=click.Path(path_type=Path),
            help="TOML file of settings [default: chargewatch.toml, if it is there]",
        )(run)
        for name in reversed(names):
            decorated = _option(name)(decorated)
        return decorated

    return decorate


def _option(name: str) -> Callable[[Command], Command]:
    what = describe(name)
    return click.option(
        flag(name),
        name,
        metavar=name.rpartition("_")[2].upper(),
        help=f"{what[0].upper()}{what[1:]}  [{variable(name)}]",
    )
