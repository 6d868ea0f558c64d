"""`chargewatch merchants`: what a merchant's charges cost, and how they are decided."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import isnan
from typing import Any

import click
import msgspec
from msgspec import inspect as types
from rich import box
from rich.console import Console
from rich.table import Table

from agents.policy.edits import set_merchant
from agents.policy.terms import PRESETS
from agents.settings.schema import COST_FIELDS, Settings
from agents.terminal.edit_options import with_signature
from agents.terminal.options import with_settings
from agents.terminal.policy_topics import PolicyTopics, signature
from schemas.merchants import MerchantSettings, encode_merchant
from schemas.printable import printable
from streams.errors import OperationalError

_with_settings = with_settings("bootstrap_servers", "topic_prefix")
_SETTINGS = {
    field.name: field.type
    for field in msgspec.structs.fields(MerchantSettings)
    if field.name not in {"merchant", "version", "costs", "made_from", "by", "at", "note"}
}


class ValueRefusedError(OperationalError):
    """A setting that there is not, or that cannot have this value."""


@click.group("merchants", epilog="Example: chargewatch merchants set m1 preset=protect block_at=95")
def command() -> None:
    """Set what a merchant's charges cost, and from which risk on they are stopped.

    What a merchant does not set is as it is set for all, under `*`, and what is not set there as
    the installation is.
    """


@command.command(
    "set", epilog="Example: chargewatch merchants set m1 preset=protect block_at=95 margin_share="
)
@click.argument("merchant")
@click.argument("values", nargs=-1, required=True, metavar="NAME=VALUE...")
@with_signature
@_with_settings
def set_(
    settings: Settings,
    *,
    merchant: str,
    values: tuple[str, ...],
    made_from: int | None,
    by: str,
    note: str,
) -> None:
    """Set some settings of a merchant, or of all: `*`. NAME= takes one away.

    Settings are preset (protect, balance, revenue), block_at, review_at, challenge_at (risk from 0
    to 100), holdout_share, holdout_amount_max_usd, holdout_budget_usd, fallback (an action), and
    the costs of the installation by their names, such as margin_share.
    """
    changed = dict(map(_value, values))
    topics = PolicyTopics(settings)
    made = topics.edit_merchants(
        lambda book: book.checked(
            set_merchant(book.records, merchant, changed, signature(by, note), made_from)
        )
    )
    click.echo(f"Settings of {merchant}: version {made.version}, {_told(made)}")


@command.command(epilog="Example: chargewatch merchants show m1")
@click.argument("merchant", required=False)
@click.option("--json", "as_json", is_flag=True, help="The record as it is on the topic")
@_with_settings
def show(settings: Settings, merchant: str | None, *, as_json: bool) -> None:
    """Show what a merchant has set and what holds for it; without one, who has set anything."""
    book = PolicyTopics(settings).merchants()
    if merchant is None:
        for name in sorted(book.records):
            click.echo(printable(f"{name}: {_told(book.records[name])}"))
        if not book.records:
            click.echo("Nobody has settings of their own; `chargewatch merchants set` adds some")
        return
    record = book.records.get(merchant)
    if as_json:
        click.echo(encode_merchant(record).decode() if record else "null")
        return
    if record is not None:
        click.echo(printable(f"{merchant}: version {record.version}, {_told(record)}"))
    else:
        click.echo(f"{merchant}: has no settings of its own")
    terms = book.terms_of(merchant)
    table = Table("Setting", "Value", box=box.SIMPLE_HEAD)
    for name, value in {**asdict(terms), **asdict(terms.costs)}.items():
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if is_number and not isnan(value):  # which is a threshold that is not set
            table.add_row(name, f"{value:g}")
    table.add_row("fallback", terms.fallback)
    Console().print(table)


def _value(text: str) -> tuple[str, Any]:
    """Return the name and the value of one setting."""
    name, is_given, value = text.partition("=")
    if not is_given or name not in {*_SETTINGS, *COST_FIELDS}:
        known = ", ".join((*_SETTINGS, *COST_FIELDS))
        raise ValueRefusedError(f"{text}: expected NAME=VALUE with one of the names {known}")
    if not value:
        return name, None
    try:
        return name, msgspec.convert(value, _SETTINGS.get(name, float), strict=False)
    except msgspec.ValidationError:
        raise ValueRefusedError(f"{name}: expected {_expected(name)}, got {value!r}") from None


def _expected(name: str) -> str:
    if name == "preset":
        return ", ".join(PRESETS)
    return ", ".join(_parts(types.type_info(_SETTINGS.get(name, float))))


def _parts(type_: types.Type) -> Iterator[str]:
    match type_:
        case types.Metadata(type=inner):
            yield from _parts(inner)
        case types.UnionType(types=members):
            for member in members:
                yield from _parts(member)
        case types.IntType(ge=low, le=high):
            yield f"a whole number from {low} to {high}"
        case types.FloatType(ge=low, le=high):
            bounds = f" from {low:g}" if low is not None else ""
            yield f"a number{bounds}{f' to {high:g}' if high is not None else ''}"
        case types.LiteralType(values=values):
            yield " or ".join(map(str, values))
        case _:
            return


def _told(record: MerchantSettings) -> str:
    """Return what is set, in one line."""
    own = {name: getattr(record, name) for name in _SETTINGS if getattr(record, name) is not None}
    parts: Sequence[str] = [f"{name}={value}" for name, value in {**own, **record.costs}.items()]
    return " ".join(parts) or "nothing is set"
