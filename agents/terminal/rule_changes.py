"""What rules would change, as tables on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from agents.evaluation.trial.wording import (
    headlines,
    never_decides,
    overlap_listing,
    rule_listing,
    sweep_listing,
    transition_listing,
    warnings,
)
from schemas.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.evaluation.trial.wording import Listing

_PAIRS = 10


def show_changes(told: Mapping[str, Any]) -> None:
    """Print what `agents.evaluation.trial.summary.changes` gives, with the facts of the run."""
    table = Table(box=box.SIMPLE_HEAD)
    for column, justify in (("", "left"), ("Change", "right"), ("", "left")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for line in headlines(told):
        table.add_row(*line)
    Console().print(table)
    _print(transition_listing(told))
    _print(rule_listing(told))
    for row in told["never_decide"]:
        click.echo(printable(never_decides(row)))
    if told["overlaps"]:
        _print(overlap_listing(told, _PAIRS))
    for sweep in told["sweeps"]:
        _print(sweep_listing(sweep))
    for warning in warnings(told):
        click.echo(printable(warning))
    _show_run(told)


def _print(listing: Listing) -> None:
    table = Table(title=printable(listing.title), title_justify="left", box=box.SIMPLE_HEAD)
    for place, column in enumerate(listing.columns):
        is_text = place < listing.texts
        table.add_column(column, justify="left" if is_text else "right", overflow="fold")
    for row in listing.rows:
        table.add_row(*map(_plain, row))
    Console(markup=False).print(table)


def _plain(cell: str) -> str:
    return printable(cell)


def _show_run(told: Mapping[str, Any]) -> None:
    click.echo(
        f"{told['charges_scored']:,} charges scored and decided twice in {told['seconds']:.1f} s "
        f"({told['charges_per_second']:,.0f} a second), {told['duplicates']:,} of them duplicates; "
        f"peak memory {told['peak_rss_mb']:,.0f} MB"
    )
    if waiting := told["disputes_waiting"]:
        click.echo(f"{waiting:,} disputes are of no charge that came; they would go on waiting.")
    if rejected := told["rejected"]:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in rejected.most_common())
        click.echo(f"{rejected.total():,} inputs rejected: {reasons}")
