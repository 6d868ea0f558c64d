"""`chargewatch lists`: the named lists that rules ask for, such as @blocked_cards."""

import csv
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import TextIO

import click

from agents.policy.list_edits import ListsBook, put_entry
from agents.settings.schema import Settings
from agents.terminal.edit_options import with_signature
from agents.terminal.options import with_settings
from agents.terminal.policy_topics import PolicyTopics, signature
from agents.terminal.times import Time
from schemas.card_numbers import mask
from schemas.changes import Change
from schemas.lists import ListEntry, periods_of
from schemas.printable import printable
from streams.errors import OperationalError

_with_settings = with_settings("bootstrap_servers", "topic_prefix")
_start = click.option(
    "--from", "start", type=Time(), default=0.0, metavar="TIME", help="From when on  [always]"
)
_until = click.option("--until", type=Time(), help="From when on it is no longer on it  [never]")

_SHOWN_MAX = 1000


class EntryRefusedError(OperationalError):
    """A value that cannot be on a list."""


@click.group("lists", epilog="Example: chargewatch lists add blocked_cards tok_1 --note stolen")
def command() -> None:
    """Keep the lists that rules ask for: `block if :card: in @blocked_cards`.

    A value is a text, also a number where a rule compares one, or a range of IP addresses such as
    10.0.0.0/8. What counts is whether it was on the list when the charge was made. Workers use a
    change within a second.
    """


@command.command(epilog="Example: chargewatch lists add blocked_cards tok_1 --until 2027-01-01")
@click.argument("list_", metavar="LIST")
@click.argument("value")
@_start
@_until
@with_signature
@_with_settings
def add(
    settings: Settings,
    *,
    list_: str,
    value: str,
    start: float,
    until: float | None,
    made_from: int | None,
    by: str,
    note: str,
) -> None:
    """Put a value on a list, or change from when until when it is on it."""
    signed = signature(by, note)
    topics = PolicyTopics(settings)
    [made] = topics.edit_lists(
        lambda book: [put_entry(book.entries, list_, value, (start, until), signed, made_from)]
    )
    click.echo(printable(f"@{list_}: {_told(made)}"))


@command.command(epilog="Example: chargewatch lists remove blocked_cards tok_1")
@click.argument("list_", metavar="LIST")
@click.argument("value")
@click.option(
    "--until",
    type=Time(),
    metavar="TIME",
    help="Leave it on the list for charges made before  [take it off for all]",
)
@with_signature
@_with_settings
def remove(
    settings: Settings,
    *,
    list_: str,
    value: str,
    until: float | None,
    made_from: int | None,
    by: str,
    note: str,
) -> None:
    """Take a value off a list.

    With --until it stays for charges made before, so that a backtest finds it listed then.
    """
    topics, signed = PolicyTopics(settings), signature(by, note)
    if until is None:
        if not topics.take_off(list_, value, signed, made_from):
            raise EntryRefusedError(f"{value}: is not on @{list_}; `chargewatch lists show` tells")
        click.echo(printable(f"@{list_}: {value} is off it"))
        return

    def end(book: ListsBook) -> list[ListEntry]:
        found = book.entries.get((list_, value))
        if found is None:
            raise EntryRefusedError(f"{value}: is not on @{list_}; `chargewatch lists show` tells")
        period = (found.start, until)
        return [put_entry(book.entries, list_, value, period, signed, made_from)]

    [made] = topics.edit_lists(end)
    click.echo(printable(f"@{list_}: {_told(made)}"))


@command.command(epilog="Example: chargewatch lists show blocked_cards")
@click.argument("list_", metavar="LIST", required=False)
@click.argument("value", required=False)
@click.option("--at", type=Time(), metavar="TIME", help="What was on it then")
@_with_settings
def show(settings: Settings, list_: str | None, value: str | None, at: float | None) -> None:
    """Show what is on a list, or what was; without one, which lists there are."""
    book = PolicyTopics(settings).lists()
    if list_ is None:
        for name, size in book.sizes.items():
            click.echo(f"@{name}: {_count(size)}")
        if not book.sizes:
            click.echo("There are no lists yet; `chargewatch lists add` begins one")
        return
    entries = [entry for entry in book.of(list_) if value in {None, entry.value}]
    if at is not None:
        entries = [e for e in entries if any(since <= at < end for since, end in periods_of(e))]
    for entry in entries[:_SHOWN_MAX]:
        click.echo(printable(_told(entry)))
    if len(entries) > _SHOWN_MAX:
        click.echo(f"and {len(entries) - _SHOWN_MAX:,} others; a VALUE shows one of them")
    elif not entries:
        what = f"@{list_}" if value is None else f"{value} on @{list_}"
        click.echo(printable(f"{what}: nothing{' then' if at is not None else ''}"))


@command.command("import", epilog="Example: chargewatch lists import blocked_cards tokens.txt")
@click.argument("list_", metavar="LIST")
@click.argument("file", type=click.File(encoding="utf-8-sig"))
@_start
@_until
@with_signature
@_with_settings
def import_(
    settings: Settings,
    *,
    list_: str,
    file: TextIO,
    start: float,
    until: float | None,
    made_from: int | None,
    by: str,
    note: str,
) -> None:
    """Put the values of a file on a list, all or none: one a line.

    Or CSV with a head line that has `value`, and may have `from`, `until` and `note`.
    """
    if made_from is not None:
        raise click.UsageError("--made-from: is of a single entry")
    signed = signature(by, note or f"import of {file.name}")
    rows = list(_rows(file, start, until))
    count = _count(len(rows))
    if not rows:
        raise EntryRefusedError(f"{file.name}: has no value; nothing was changed")
    imported = Change("lists", list_, 1, 0, signed.by, signed.at, f"{count}: {signed.note}")
    PolicyTopics(settings).edit_lists(
        lambda book: [
            put_entry(
                book.entries, list_, value, (since, end), signed._replace(note=mask(why) or note)
            )
            for value, since, end, why in rows
        ],
        imported,
    )
    click.echo(printable(f"@{list_}: {count} of {file.name}"))


Row = tuple[str, float, float | None, str]


def _rows(file: TextIO, start: float, until: float | None) -> Iterator[Row]:
    """Yield values with their periods and notes."""
    first = next(iter(file), "")
    heads = [head.strip().lower() for head in next(csv.reader([first]), [])]
    if "value" not in heads:
        for line in (first, *file):
            if value := line.strip():
                yield value, start, until, ""
        return
    for number, row in enumerate(csv.DictReader(file, heads), 2):
        value = (row.get("value") or "").strip()
        if value:
            where = f"{file.name}, line {number}"
            since = _time(row.get("from"), where)
            end = _time(row.get("until"), where)
            yield (
                value,
                start if since is None else since,
                until if end is None else end,
                row.get("note") or "",
            )


def _time(text: str | None, where: str) -> float | None:
    if not text or not text.strip():
        return None
    with suppress(click.BadParameter):
        return Time().convert(text.strip(), None, None)
    raise EntryRefusedError(f"{where}: expected Unix seconds or a date, got {text!r}")


def _count(entries: int) -> str:
    return "1 entry" if entries == 1 else f"{entries:,} entries"


def _told(entry: ListEntry) -> str:
    """Return an entry in a line."""
    periods: Iterable[tuple[float, float]] = periods_of(entry)
    told = ", ".join(f"{_date(start, 'always')} to {_date(end, 'ever')}" for start, end in periods)
    by = f" by {entry.by}" if entry.by else ""
    note = f": {entry.note}" if entry.note else ""
    return f"{entry.value}  {told}  (version {entry.version}{by}){note}"


def _date(time: float, none: str) -> str:
    if time in {0.0, float("inf")}:
        return none
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M}"
