"""What rules would change, as tables on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from agents.evaluation.trial.wording import (
    Listing,
    decision_listing,
    headlines,
    match_listing,
    never_decides,
    overlap_listing,
    sweep_listing,
    transition_listing,
    warnings,
)
from schemas.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOTES, _PAIRS, _SWEEPS = 20, 10, 6


def show_changes(told: Mapping[str, Any]) -> None:
    """Print what `agents.evaluation.trial.summary.changes` gives, with the facts of the run."""
    _print(Listing("", ["", "Change", ""], headlines(told), texts=3))
    _print(transition_listing(told))
    click.echo("The rules\n")
    for row in told["rules"]:
        click.echo(printable(f"  {row['id']}: {row['rule']}"))
    click.echo()
    _print(match_listing(told))
    _print(decision_listing(told))
    for row in told["never_decide"][:_NOTES]:
        click.echo(printable(never_decides(row)))
    if (left := len(told["never_decide"]) - _NOTES) > 0:
        click.echo(f"{left} more rules never decide: --report and --json tell of all.")
    if told["overlaps"]:
        _print(overlap_listing(told, _PAIRS))
    for sweep in told["sweeps"][:_SWEEPS]:
        _print(sweep_listing(sweep))
    if (left := len(told["sweeps"]) - _SWEEPS) > 0:
        click.echo(f"{left} more thresholds: --report and --json tell of all.")
    for warning in warnings(told):
        click.echo(printable(warning))
    _show_run(told)


def _print(listing: Listing) -> None:
    title = printable(listing.title) or None
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for place, column in enumerate(listing.columns):
        is_text = place < listing.texts
        table.add_column(
            column, justify="left" if is_text else "right", overflow="fold", no_wrap=not is_text
        )
    for row in listing.rows:
        table.add_row(*map(printable, row))
    Console(markup=False, emoji=False, highlight=False).print(table)


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
