"""`chargewatch users`: who may use the console, and for what."""

import sys
from datetime import UTC, datetime
from typing import cast

import click
from rich import box
from rich.console import Console
from rich.table import Table

from agents.settings.schema import Settings
from agents.terminal.options import with_settings
from agents.terminal.policy_topics import signature
from agents.web.console.access.user_topic import UserTopic
from agents.web.console.access.users import new_user
from schemas.console_users import ROLES, Role
from schemas.printable import printable

_with_settings = with_settings("bootstrap_servers", "topic_prefix")
_by = click.option("--by", help="Who, for the record  [default: the user of this machine]")


@click.group("users", epilog="Example: chargewatch users add ann --role analyst")
def command() -> None:
    """Say who may use the console (`chargewatch console`).

    A viewer sees charges, rules, models and what was rejected, with tokens shortened. An analyst
    also claims and decides reviews. A manager also writes rules, lists and settings of merchants,
    says which model scores, and reads the audit log. An administrator also says who may do what. A
    change counts within a second.
    """


@command.command(epilog="Example: chargewatch users add ann --role analyst")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What they may do")
@click.option(
    "--no-password", is_flag=True, help="They sign in by the provider alone (console_oidc_issuer)"
)
@_by
@_with_settings
def add(settings: Settings, *, name: str, role: str, no_password: bool, by: str | None) -> None:
    """Let somebody in, or give them another role and password.

    The password is asked for; where there is no terminal, it is the first line of stdin.
    """
    topic = UserTopic(settings)
    signed = signature(by, "")
    user = new_user(name, cast("Role", role), None if no_password else _password(), signed)
    topic.put(user, signed)
    click.echo(printable(f"{user.name} may sign in, as {user.role}"))


@command.command("list", epilog="Example: chargewatch users list")
@_with_settings
def list_(settings: Settings) -> None:
    """List the users."""
    records = UserTopic(settings).read().records
    if not records:
        click.echo("There are no users yet: `chargewatch users add NAME --role administrator`")
        return
    table = Table("Name", "Role", "Since", "By", box=box.SIMPLE_HEAD)
    for user in sorted(records.values(), key=lambda each: each.name):
        since = datetime.fromtimestamp(user.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        table.add_row(*map(printable, (user.name, user.role, since, user.by)))
    Console(markup=False, emoji=False, highlight=False).print(table)


@command.command(epilog="Example: chargewatch users remove ann")
@click.argument("name")
@_by
@_with_settings
def remove(settings: Settings, *, name: str, by: str | None) -> None:
    """Let somebody in no longer; sessions of theirs end at once."""
    UserTopic(settings).remove(name, signature(by, ""))
    click.echo(printable(f"{name} may sign in no longer"))


def _password() -> str:
    if sys.stdin.isatty():
        password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return password
    return sys.stdin.readline().rstrip("\r\n")
