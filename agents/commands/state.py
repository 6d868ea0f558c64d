"""`chargewatch state`: shows what is in the local state, and checks that it can be gone on from."""

import sys

import click
import msgspec
from rich.console import Console

from agents.inspection.contents import TaskContents, check_task, read_task, tasks_in
from agents.inspection.wording import IN_FILES, check_lines, contents_lines, contents_table
from agents.settings.schema import Settings
from agents.stages.tasks import state_directory
from agents.terminal.options import FAILED, with_settings
from schemas.printable import printable, printable_json

_with_settings = with_settings("topic_prefix", "application_id", "state_dir")


@click.group("state", epilog="Example: chargewatch state show --state-dir /var/lib/cw")
def command() -> None:
    """Show what is in the local state, or check it.

    Nothing is changed, and a worker may run meanwhile; what it has in memory alone is not shown.
    """


@command.command(epilog="Example: chargewatch state show --state-dir /var/lib/cw")
@click.option("--json", "as_json", is_flag=True, help="Everything, as one line of JSON")
@_with_settings
def show(settings: Settings, *, as_json: bool) -> None:
    """Show what is in the state of each task: how far it has come, its records by layout.

    Exit code 1 when one cannot be looked at.
    """
    tasks = []
    for number, path in tasks_in(state_directory(settings)):
        contents = read_task(number, path)
        tasks.append(contents)
        if not as_json:
            _show(contents)
    click.echo(printable_json(msgspec.json.encode(tasks)) if as_json else IN_FILES)
    if any(contents.problem for contents in tasks):
        sys.exit(FAILED)


@command.command(epilog="Example: chargewatch state check --state-dir /var/lib/cw")
@_with_settings
def check(settings: Settings) -> None:
    """Read every record as this version does, and tell whether it can go on from the state.

    Exit code 1 when something cannot be read, or does not fit together.
    """
    is_sound = True
    for number, path in tasks_in(state_directory(settings)):
        contents, findings = check_task(number, path)
        is_sound = is_sound and contents.problem is None and not findings
        for line in check_lines(contents, findings):
            click.echo(printable(line))
    click.echo(IN_FILES)
    if not is_sound:
        sys.exit(FAILED)


def _show(contents: TaskContents) -> None:
    for line in contents_lines(contents):
        click.echo(printable(line))
    if contents.tables:
        Console().print(contents_table(contents))
