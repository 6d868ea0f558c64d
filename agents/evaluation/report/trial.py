"""The report on what rules would change: one HTML page with its plots inside."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.evaluation.formatting import dollars
from agents.evaluation.report import trial_plots as plots
from agents.evaluation.report.markup import (
    Group,
    Text,
    cards,
    details,
    document,
    figure,
    note,
    pair,
    section,
    table,
)
from agents.evaluation.trial.each_rule import PAIRS_MAX
from agents.evaluation.trial.wording import (
    decision_listing,
    headlines,
    match_listing,
    never_decides,
    overlap_listing,
    sweep_listing,
    sweep_title,
    transition_listing,
    warnings,
)
from schemas.edits import EVERYONE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agents.evaluation.report.markup import Cell
    from agents.evaluation.trial.wording import Listing

    Told = Mapping[str, Any]

_DRAWN_RULES = 30
_DRAWN_SWEEPS = 12
_NOTES = 10


def trial_page(told: Told) -> str:
    """Return the page.

    Parameters
    ----------
    told
        What `agents.evaluation.trial.summary.changes` gives, and the facts of the run: ``files``,
        ``rules_file``, ``instead_of``, ``label_horizon_days``, ``charges_scored``, ``duplicates``,
        ``rejected``, ``seconds``, ``charges_per_second`` and ``peak_rss_mb``.
    """
    title = f"What {Path(told['rules_file']).name} would change"
    notes = "".join(map(note, warnings(told)))
    sections = [_run(told)]
    if told["all"]["charges"]:
        sections = [
            cards(headlines(told)),
            _money(told),
            _actions(told),
            *_rules(told),
            *_sweeps(told),
            _run(told),
        ]
    return document(title, _subtitle(told), notes, "".join(sections))


def _subtitle(told: Told) -> str:
    of = "" if told["merchant"] == EVERYONE else f" of {told['merchant']}"
    if told["first"] is None:
        return f"No charge{of} was made in the period."
    first, last = (
        datetime.fromtimestamp(told[name], UTC).strftime("%-d %B %Y") for name in ("first", "last")
    )
    now = "the model alone" if told["instead_of"] is None else Path(told["instead_of"]).name
    return (
        f"{told['all']['charges']:,} charges{of} from {first} to {last}, decided twice: by {now}, "
        "and by these rules beside the model. Each was scored with what was known at its time."
    )


def _money(told: Told) -> str:
    cost, known = told["effects"]["cost"], told["effects"]["charges"]
    costs = f"{dollars(cost['before'])} before, {dollars(cost['after'])} after"
    return section(
        "Money",
        "What fraud and the interventions against it cost, by the cost table in the settings, of "
        f"the {known:,} charges that are known to be frauds or genuine.",
        pair(
            figure(plots.costs_plot(cost), f"Bars of cost: {costs}.", "Cost before and after."),
            figure(
                plots.difference_plot(cost),
                f"Difference {dollars(cost['difference'])}, from {dollars(cost['low'])} to "
                f"{dollars(cost['high'])} with 95%.",
                "The difference: left of the dotted line the rules save money. The bar holds "
                "95% of what might have come, had other cards paid.",
            ),
        ),
    )


def _actions(told: Told) -> str:
    moved = [row for row in told["transitions"] if row["before"] != row["after"]]
    listing = transition_listing(told)
    words = "; ".join(f"{row[0]} {row[1]} charges" for row in listing.rows[: len(moved)])
    drawn = figure(
        plots.transitions_plot(moved),
        f"Bars of charges by change of action: {words}.",
        "Charges that get another action.",
    )
    return section(
        "Actions",
        "Which charges get another action. What is not known to be a fraud or genuine is unknown.",
        drawn if moved else note("No charge gets another action."),
        _table(listing),
    )


def _rules(told: Told) -> Iterator[str]:
    rules = sorted(told["rules"], key=lambda rule: -rule["matched"]["charges"])[:_DRAWN_RULES]
    if not rules:
        return
    parts = [
        pair(
            figure(
                plots.precision_plot(rules),
                "Precision of each rule with its interval; the figures are in the table.",
                "Frauds among the charges that a rule matches and of which it is known, with 95% "
                "intervals.",
            ),
            figure(
                plots.volume_plot(rules),
                "How many charges each rule matches and decides; the figures are in the table.",
                "How many charges a rule matches, and how many of them it decides.",
            ),
        ),
        *_never_decide(told),
        _table(match_listing(told, has_conditions=True)),
        _table(decision_listing(told)),
    ]
    if told["overlaps"]:
        parts.append(details("Overlaps", _table(overlap_listing(told, PAIRS_MAX))))
    yield section(
        "The rules",
        "A rule that matches need not decide: of those that match, the first of the strongest kind "
        "does, and one in shadow never.",
        *parts,
    )


def _never_decide(told: Told) -> Iterator[str]:
    notes = [note(never_decides(row)) for row in told["never_decide"]]
    yield from notes[:_NOTES]
    if rest := notes[_NOTES:]:
        yield details(f"{len(rest)} more rules that never decide", "".join(rest))


def _sweeps(told: Told) -> Iterator[str]:
    if not told["sweeps"]:
        return
    drawn = [
        figure(
            plots.sweep_plot(sweep),
            f"{sweep_title(sweep)} with other constants; the figures are in the table.",
            f"{sweep_title(sweep)}",
        )
        for sweep in told["sweeps"][:_DRAWN_SWEEPS]
    ]
    tables = "".join(_table(sweep_listing(sweep)) for sweep in told["sweeps"])
    yield section(
        "Where to put the thresholds",
        "The same rules with other constants: what they would match, whether they would decide it "
        "or not. Dotted is the constant of the rule.",
        pair(*drawn),
        details("All figures", tables),
    )


def _run(told: Told) -> str:
    rejected = told["rejected"]
    listed = ", ".join(f"{reason} {count:,}" for reason, count in sorted(rejected.items()))
    facts = {
        "Rules": told["rules_file"],
        "Instead of": told["instead_of"] or "no rules",
        "Files": ", ".join(told["files"]),
        "Charges scored": f"{told['charges_scored']:,}, those outside the period too",
        "Duplicate charges": f"{told['duplicates']:,}, not counted",
        "Rejected inputs": f"{listed}; see rejected.jsonl" if rejected else "none",
        "Time": f"{told['seconds']:,.1f} s",
        "Speed": f"{told['charges_per_second']:,.0f} charges a second",
        "Peak memory": f"{told['peak_rss_mb']:,.0f} MB",
    }
    rows: list[list[Cell]] = [[name, Text(value)] for name, value in facts.items()]
    return section(
        "The run",
        "What was processed, and how fast.",
        table("Facts of the run", ["Fact", Text("Value")], Group("", rows)),
    )


def _table(listing: Listing) -> str:
    columns = [
        Text(name) if 0 < place < listing.texts else name
        for place, name in enumerate(listing.columns)
    ]
    rows = [
        [Text(cell) if 0 < place < listing.texts else cell for place, cell in enumerate(row)]
        for row in listing.rows
    ]
    return table(listing.title, columns, Group("", rows))
