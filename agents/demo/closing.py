"""The summary at the end of the demo."""

import math

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from agents.demo.figures import Part, Report
from agents.demo.views import actions_table, day, learned
from agents.evaluation.formatting import dollars, number
from schemas.printable import printable

_BAR_WIDTH = 24
_TRUTH = (
    "Frauds are charges that are disputed as fraudulent, by now or later, or would have been: the "
    "simulator knows. Some that would be stopped are let through at random, to learn from."
)


def summary(report: Report) -> RenderableType:
    """Show what came of the run."""
    parts = (_counts(report), _quality(report), _live(report), Text(_TRUTH, "dim"))
    spaced = [line for part in parts for line in (part, "")][:-1]
    return Panel(Group(*spaced), title="Summary", title_align="left", padding=(1, 2))


def _counts(report: Report) -> Table:
    counts, took = report.counts, report.latency
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", min_width=9)
    facts.add_column()
    facts.add_row(
        "scored",
        f"{counts.scored:,} charges, {report.answered_once:,} of {counts.charges:,} published "
        f"exactly once; {counts.duplicates_answered:,} duplicates got their first answer again",
    )
    facts.add_row("rejected", f"{counts.rejected:,} of {counts.damaged:,} damaged inputs, such as")
    for reason, count in report.reasons:
        line = Text(f"{count:5,}  {printable(reason)}", "dim", no_wrap=True, overflow="ellipsis")
        facts.add_row("", line)
    facts.add_row(
        "learned",
        f"from {learned(report.model)} by {report.model.version}; {counts.disputes:,} disputes and "
        f"early warnings came, {counts.fraud_disputes:,} of them for fraud",
    )
    facts.add_row(
        "acted",
        f"{counts.outcomes:,} outcomes of challenges and reviews published, "
        f"{report.outcomes_taken:,} taken, {counts.outcomes_rejected:,} rejected; "
        f"by now {counts.withheld:,} disputes of what was stopped did not come",
    )
    facts.add_row(
        "speed",
        f"{report.history_charges_per_s:,.0f} charges/s in the history, by one worker",
    )
    facts.add_row(
        "latency",
        f"p50 {took.p50_ms:,.0f} ms, p99 {took.p99_ms:,.0f} ms, at most {took.max_ms:,.0f} ms "
        f"at {took.charges / report.live_s:,.0f} charges/s, from sending a charge to reading its "
        "committed score",
    )
    return facts


def _quality(report: Report) -> Table:
    """Show how well the charges were scored, week by week."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("from")
    table.add_column("charges", justify="right")
    table.add_column("frauds", justify="right")
    table.add_column("scored by")
    table.add_column("average precision")
    for name, part in [*((day(week.start), week) for week in report.weeks), ("live", report.live)]:
        precision = part.average_precision or 0.0
        bar = f"[cyan]{'█' * round(_BAR_WIDTH * precision)}[/]"
        table.add_row(
            name,
            f"{part.charges:,}",
            f"{part.frauds:,}",
            _scored_by(part),
            f"{number(part.average_precision, 2)} {bar}",
            style="bold" if part is report.live else "",
        )
    return table


def _scored_by(part: Part) -> str:
    if part.prior_share in {0.0, 1.0}:
        return "prior" if part.prior_share else "model"
    return "prior, then model"


def _live(report: Report) -> Columns:
    """Show what was done with the live charges, what that stopped, and what it saved."""
    done = report.balance
    sums = Table(box=None, pad_edge=False, header_style="dim")
    sums.add_column("carried out")
    for title in ("charges", "dollars"):
        sums.add_column(title, justify="right", min_width=len(title), no_wrap=True)
    for what, (charges, cost), sign in (
        ("frauds stopped", done.stopped_frauds, 1),
        ("genuine charges stopped", done.stopped_genuine, -1),
        ("challenges and reviews", done.checks, -1),
    ):
        sums.add_row(what, f"{charges:,}", dollars(sign * cost))
    for what, amount in (
        ("saved against allowing all", done.money.saved_against_nothing),
        (f"against {_limit(done.money.amount_limit)}", done.money.saved_against_amount),
    ):
        sums.add_row(what, "", dollars(amount), style="bold")
    for what, (charges, cost) in (
        ("frauds missed", done.missed_frauds),
        (f"of {done.holdout:,} let through at random", done.holdout_frauds),
    ):
        sums.add_row(what, f"{charges:,}", dollars(-cost), style="dim")
    return Columns([actions_table(report.actions, with_amounts=True), sums], padding=(0, 4))


def _limit(amount: float) -> str:
    """Say from which amount on to block, the limit of least cost, if any pays."""
    return "any amount limit" if math.isinf(amount) else f"blocking from {dollars(amount)} on"
