"""`chargewatch keys`: who may use the HTTP API, and for what."""

import time
from datetime import UTC, datetime

import click
from rich import box
from rich.console import Console
from rich.table import Table

from agents.settings.schema import Settings
from agents.terminal.options import with_settings
from agents.terminal.policy_topics import signature
from agents.web.api.key_topic import KeyTopic
from agents.web.api.keys import new_key, revoked
from schemas.api_keys import SCOPES, Scope
from schemas.printable import printable

_with_settings = with_settings("bootstrap_servers", "topic_prefix")
_by = click.option("--by", help="Who, for the record  [default: the user of this machine]")


@click.group("keys", epilog="Example: chargewatch keys add checkout --scope charges")
def command() -> None:
    """Give and take keys of the HTTP API (`chargewatch serve`).

    Scopes are charges (have charges scored), labels (tell of disputes and outcomes), rules (write
    rules, lists and settings of merchants) and read (read them). Every replica follows within a
    second.
    """


@command.command(epilog="Example: chargewatch keys add checkout --scope charges --scope labels")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    required=True,
    help="What it may do; may be given several times",
)
@_by
@_with_settings
def add(settings: Settings, *, name: str, scopes: tuple[Scope, ...], by: str | None) -> None:
    """Make a key for somebody, and print it: once, as only its hash is kept."""
    signed = signature(by, "")
    record, token = new_key(name, scopes, signed.by, signed.at)
    KeyTopic(settings).edit(lambda _: record)
    click.echo(
        printable(f"Key {record.id} of {record.name}: {', '.join(record.scopes)}. Keep it now:"),
        err=True,
    )
    click.echo(token)


@command.command("list", epilog="Example: chargewatch keys list")
@_with_settings
def list_(settings: Settings) -> None:
    """List the keys, revoked ones too; no key is shown."""
    ring = KeyTopic(settings).read()
    if ring.is_empty:
        click.echo("There are no keys: the API is open to this machine alone")
        return
    table = Table("Id", "Name", "Scopes", "Made", "By", "Revoked", box=box.SIMPLE_HEAD)
    for record in sorted(ring.records.values(), key=lambda each: each.at):
        gone = "" if record.revoked_at is None else _day(record.revoked_at)
        cells = (record.id, record.name, " ".join(record.scopes), _day(record.at), record.by, gone)
        table.add_row(*map(printable, cells))
    for id_ in sorted(ring.unusable):
        table.add_row(printable(id_), "cannot be read, and opens nothing")
    Console(markup=False, emoji=False, highlight=False).print(table)


@command.command(epilog="Example: chargewatch keys revoke 3f2a90c41b77")
@click.argument("id_", metavar="ID")
@_with_settings
def revoke(settings: Settings, id_: str) -> None:
    """Refuse a key from now on; its id is in the list, and in the key itself."""
    made = KeyTopic(settings).edit(lambda ring: revoked(ring.records.get(id_), id_, time.time()))
    click.echo(printable(f"Key {made.id} of {made.name} is refused from now on"))


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
