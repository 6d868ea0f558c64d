"""What the demo shows while it plays: the history, then the live part."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agents.demo.figures import ActionCount, HistoryNow, LiveNow
from agents.demo.ledger import Flagged, Learned
from agents.demo.scenario import Scenario
from agents.evaluation.formatting import COLOURS, dollars, money, number, percent
from schemas.currency import bundled_rates
from schemas.printable import printable

WIDTH = 100

_OTHER_LINES = 16


def day(time: float) -> str:
    """Write a time as its day.

    >>> day(0.0)
    'Thu 1 Jan 1970'
    """
    return f"{datetime.fromtimestamp(time, UTC):%a %-d %b %Y}"


def learned(model: Learned) -> str:
    """Say what a model has learned from.

    >>> learned(Learned("linear-0000001200", 200, 1000))
    '200 known frauds and 1,000 other charges'
    """
    return f"{model.frauds:,} known frauds and {model.others:,} other charges"


def history_view(now: HistoryNow, scenario: Scenario) -> RenderableType:
    """Show how far the history is."""
    bar = Table.grid(padding=(0, 2))
    bar.add_row(
        ProgressBar(total=1.0, completed=now.share, width=36),
        f"{now.share:4.0%}",
        f"[bold]{day(now.stream_time)}[/]",
        f"{now.charges_per_s:,.0f} charges/s",
    )
    facts = _facts()
    facts.add_row("scored", f"{now.counts.scored:,} charges")
    facts.add_row("model", now.model.version)
    facts.add_row("learned", f"from {learned(now.model)}")
    title = f"History: {scenario.history_days:.0f} days, as fast as one worker scores them"
    return _panel(title, bar, "", facts)


def live_view(now: LiveNow, scenario: Scenario, lines: int) -> RenderableType:
    """Show how the live part goes, in about so many lines."""
    top = Table.grid(padding=(0, 4))
    top.add_row(actions_table(now.actions), _measures(now))
    seconds = min(now.elapsed_s, scenario.live_s)
    shown = min(max((lines - _OTHER_LINES) // 2, 2), len(now.latest))
    return _panel(
        f"Live: {seconds:.0f} of {scenario.live_s:.0f} s, event time {_moment(now.stream_time)}",
        top,
        "",
        _flagged(now.latest[:shown]),
    )


def actions_table(actions: list[ActionCount], *, with_amounts: bool = False) -> Table:
    """Tell how many charges got which action, and how many of them were fraud."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("action", width=9)
    for title in ("charges", "amount" if with_amounts else "share", "frauds"):
        table.add_column(title, justify="right", min_width=len(title), no_wrap=True)
    charges = max(1, sum(count.charges for count in actions))
    for count in actions:
        table.add_row(
            Text(count.action, COLOURS[count.action]),
            f"{count.charges:,}",
            dollars(count.amount) if with_amounts else percent(count.charges / charges),
            f"{count.frauds:,}",
        )
    return table


def pattern_words(pattern: str | None) -> str:
    """Say what a charge truly is.

    >>> pattern_words("stolen_card"), pattern_words(None)
    ('stolen card', 'genuine')
    """
    return "genuine" if pattern is None else pattern.replace("_", " ")


def reasons(event: dict[str, Any]) -> str:
    """Put the reasons of a scored event together.

    >>> reasons({"reasons": [{"text": "the CVC check failed"}, {"text": "a new device"}]})
    'the CVC check failed; a new device'
    """
    return printable("; ".join(reason["text"] for reason in event["reasons"]))


def _measures(now: LiveNow) -> Table:
    facts = _facts()
    facts.add_row("rate", f"{now.charges_per_s:,.0f} charges/s")
    if now.latency is not None:
        facts.add_row("latency", f"p50 {now.latency.p50_ms:,.0f}, p99 {now.latency.p99_ms:,.0f} ms")
    facts.add_row("average precision", number(now.average_precision, 2))
    facts.add_row("that of the prior", f"{number(now.prior_average_precision, 2)} in history")
    facts.add_row("saved", dollars(now.balance.money.saved_against_nothing))
    facts.add_row("frauds learned", f"{now.model.frauds:,}")
    return facts


def _flagged(flagged: list[Flagged]) -> RenderableType:
    lines = [
        Text("the last that were blocked or reviewed: score, amount, truth and reasons", "dim")
    ]
    rates = bundled_rates()  # they have all currencies that are simulated
    for event, pattern in flagged:
        truth = (pattern_words(pattern), "bold red" if pattern else "bold green")
        lines += [
            Text.assemble(
                (f"{event['action']:7}", COLOURS[event["action"]]),
                f"{event['score']:.2f} {money(event, rates)}  ",
                truth,
            ),
            Text(f"       {reasons(event)}", "dim"),
        ]
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(*lines)


def _facts() -> Table:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column()
    return facts


def _panel(title: str, *parts: RenderableType) -> Panel:
    return Panel(Group(*parts), title=title, title_align="left", padding=(1, 2))


def _moment(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%a %-d %b %H:%M}"
