"""Whether `chargewatch` takes a command and settings as some file has them."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile

import click

from agents.commands import VERBS, chargewatch
from agents.settings.sources import SettingsError, load_settings


def of_command(arguments: list[str], env: dict[str, str], file: str = "") -> Iterator[str]:
    """Yield what is wrong with a command, its environment and its file of settings."""
    verb, *rest = arguments
    if verb not in VERBS:
        yield f"there is no command {verb}"
        return
    try:
        command = chargewatch.get_command(click.Context(chargewatch), verb)
        assert command is not None
        command.make_context(verb, rest)
    except click.ClickException as error:
        yield f"{verb}: {error.format_message()}"
    yield from of_settings(env, file)


def of_settings(env: dict[str, str], file: str = "") -> Iterator[str]:
    """Yield what is wrong with an environment and a file of settings."""
    with NamedTemporaryFile("w", suffix=".toml") as settings:
        settings.write(file)
        settings.flush()
        try:
            load_settings({}, env, Path(settings.name))
        except SettingsError as error:
            yield str(error)
