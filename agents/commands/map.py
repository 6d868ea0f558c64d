"""`chargewatch map`: proposes mappings of columns, checks them, and lists those ready."""

from itertools import islice
from pathlib import Path
from typing import Any

import click
import orjson

from agents.settings.schema import Settings
from agents.terminal.event_files import Kind, Survey, survey
from agents.terminal.mapped_files import needed, published_sources
from agents.terminal.options import with_settings
from schemas.card_numbers import mask
from schemas.printable import printable
from schemas.rejected import InvalidEvent
from streams.events.row_files import Row
from streams.events.sources import Source
from streams.mapping.columns import ROWS_LOOKED_AT, Columns
from streams.mapping.mapped_file import MappedFile
from streams.mapping.mapping import Mapping
from streams.mapping.paths import getter
from streams.mapping.ready_mappings import find_mapping, ready_names
from streams.mapping.suggesting import suggest

_FILE = click.Path(path_type=Path)
_SHOWN = 10
_HIDDEN = "(hidden)"
_CHARACTERS_SHOWN = 600


@click.group("map", epilog="Example: chargewatch map suggest charges.csv > mine.toml")
def command() -> None:
    """Propose and check mappings of the columns of files."""


@command.command("suggest", epilog="Example: chargewatch map suggest charges.csv > mine.toml")
@click.argument("file", type=_FILE)
def suggest_(file: Path) -> None:
    """Propose a mapping for a file, by what its columns are called and what is in them.

    The first 1,000 rows are looked at. Every line that is not sure says so; `chargewatch map check`
    then shows what comes of it.
    """
    click.echo(suggest(file), nl=False)


@command.command("list", epilog="Example: chargewatch map list")
def list_() -> None:
    """List the mappings that are ready, of public data sets and of payment providers."""
    width = max(map(len, ready_names()))
    for name in ready_names():
        click.echo(f"{name:<{width}}  {find_mapping(name).description}")


@command.command("check", epilog="Example: chargewatch map check charges.csv --map mine.toml")
@click.argument("file", type=_FILE)
@click.option(
    "--map",
    "name",
    required=True,
    metavar="NAME",
    help="A ready mapping (`chargewatch map list`), or a file of TOML",
)
@click.option("--all", "is_all", is_flag=True, help="Look at all rows, in place of the first 1,000")
@with_settings()
def check(settings: Settings, *, file: Path, name: str, is_all: bool) -> None:
    """Show ten events of a file before and after a mapping, and what could not be used.

    What a keyed hash replaces is not shown, and neither is its key.
    """
    mapping = find_mapping(name)
    needed(mapping, settings)
    sources = published_sources(file, mapping, None, None, settings)
    _show_rows([source for _, source in sources], mapping)
    columns = Columns(file, mapping)
    if lacking := sorted(path for path in mapping.paths if not columns.has(path)):
        click.echo(f"Columns that there are none of: {', '.join(map(printable, lacking))}")
    for source in [source for _, source in sources]:
        for note in sorted(source.notes):
            click.echo(note, err=True)
    limit = None if is_all else ROWS_LOOKED_AT
    for kind, source in sources:
        _show_survey(kind, survey(source, kind, settings, limit), source, is_all=is_all)


def _show_rows(sources: list[MappedFile], mapping: Mapping) -> None:
    """Show the first rows from which there is anything, each with what becomes of it."""
    shown = 0
    pairs = zip(*(source.pairs(ROWS_LOOKED_AT) for source in sources), strict=True)
    for of_kinds in islice(pairs, ROWS_LOOKED_AT):
        events = [event for _, made in of_kinds for event in made]
        if not events:
            continue
        row = of_kinds[0][0]
        click.echo(f"before  {_shown(_before(row, mapping))}")
        for event in events:
            click.echo(f"after   {_shown(event.decode(errors='backslashreplace'))}")
        click.echo()
        shown += 1
        if shown == _SHOWN:
            return


def _before(row: Row | InvalidEvent, mapping: Mapping) -> str:
    """Return what a mapping reads of a row, without what is not to be seen."""
    if isinstance(row, InvalidEvent):
        return str(row)
    read: dict[str, Any] = {}
    for path in sorted(mapping.paths):
        value = getter(path)(row)
        if value is not None:
            read[path] = _HIDDEN if path in mapping.secret else value
    return orjson.dumps(read, default=str).decode()


def _shown(text: str) -> str:
    text = printable(mask(text))
    return text if len(text) <= _CHARACTERS_SHOWN else f"{text[:_CHARACTERS_SHOWN]}..."


def _show_survey(kind: Kind, found: Survey, source: Source, *, is_all: bool) -> None:
    rejections = found.rejections
    count = rejections.counts.total()
    where = "" if is_all else f" of the first {ROWS_LOOKED_AT:,} rows"
    click.echo(f"{found.events - count:,} {kind}{where} can be used, {count:,} cannot")
    if count:
        click.echo(f"  {printable(rejections.summary(source.name))}")
