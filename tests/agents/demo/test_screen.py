"""What the demo shows, in a terminal and elsewhere: all of it, and nothing cut off that matters."""

import re
from io import StringIO

import pytest
from rich.console import Console

from agents.demo.closing import summary
from agents.demo.screen import Screen
from agents.evaluation.formatting import dollars
from tests.agents.demo.made_up_run import LIVE_BEGAN, Run

ESCAPE = "\x1b"


@pytest.fixture(scope="module")
def run() -> Run:
    return Run(6)


def play(run: Run, console: Console) -> None:
    screen = Screen(console, run.play.scenario)
    with screen.step("Starting") as done:
        done("started")
    with screen.part(stays=False):
        screen.history(run.figures.history(500.0))
    with screen.part(stays=True):
        screen.live(run.figures.live(LIVE_BEGAN, LIVE_BEGAN + 20.0))
        screen.live(run.figures.live(LIVE_BEGAN, LIVE_BEGAN + 20.0))


def test_plain_lines_where_there_is_no_terminal(run: Run) -> None:
    out = StringIO()
    play(run, Console(file=out, width=100))
    lines = out.getvalue().splitlines()
    live = run.figures.live(LIVE_BEGAN, LIVE_BEGAN + 20.0)
    assert live.latency is not None
    assert ESCAPE not in out.getvalue()
    assert lines[0] == "Starting ..."
    assert re.fullmatch(r"✓ started \(0\.\d s\)", lines[1])
    assert len(lines) == 4, "a line for each part, and not one for each time it is shown"
    assert lines[2].startswith("  100% ")
    assert f"{live.counts.scored:,} charges" in lines[2]
    assert f"p50 {live.latency.p50_ms:.0f} ms, p99 {live.latency.p99_ms:.0f} ms" in lines[3]
    for count in live.actions:
        assert f"{count.charges:,} {count.action}" in lines[3]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30)])
def test_live_view_fits_the_terminal(run: Run, width: int, height: int) -> None:
    out = StringIO()
    play(run, Console(file=out, width=width, height=height, force_terminal=True, color_system=None))
    frame = re.sub(rf"{ESCAPE}\[[0-9;?]*[A-Za-z]", "", out.getvalue()).rpartition("╭─ Live")[2]
    lines = frame.partition("╰")[0].splitlines()
    assert len(lines) + 1 <= height
    live = run.figures.live(LIVE_BEGAN, LIVE_BEGAN + 20.0)
    assert live.latency is not None
    assert f"p50 {live.latency.p50_ms:,.0f}, p99 {live.latency.p99_ms:,.0f} ms" in frame
    for count in live.actions:
        assert re.search(rf"{count.action} +{count.charges:,} +\d+\.\d% +{count.frauds:,} ", frame)
    [event, pattern] = live.latest[0]
    assert f"{event['score']:.2f}" in frame
    assert event["reasons"][0]["text"] in frame
    assert ("genuine" if pattern is None else pattern.replace("_", " ")) in frame


def test_summary_says_everything(run: Run) -> None:
    report = run.report()
    out = StringIO()
    Console(file=out, width=100).print(summary(report))
    text = " ".join(out.getvalue().replace("│", " ").split())
    assert f"{report.answered_once:,} of {report.counts.charges:,} published exactly once" in text
    assert f"{report.counts.rejected:,} of {report.counts.damaged:,} damaged inputs" in text
    for reason, count in report.reasons:
        assert f"{count:,} {reason}" in text
    took = report.latency
    assert f"p50 {took.p50_ms:,.0f} ms, p99 {took.p99_ms:,.0f} ms" in text
    for part in (*report.weeks, report.live):
        precision = "n/a" if part.average_precision is None else f"{part.average_precision:.2f}"
        assert re.search(rf"{part.charges:,} {part.frauds:,} [a-z0-9%, ]+ {precision} ", text)
    for acted in report.actions:
        worth = re.escape(dollars(acted.amount))
        assert re.search(rf"{acted.action} {acted.charges:,} {worth} {acted.frauds:,} ", text)
    done = report.balance
    for what, costing, sign in (
        ("frauds stopped", done.stopped_frauds, 1),
        ("genuine charges stopped", done.stopped_genuine, -1),
        ("challenges and reviews", done.checks, -1),
        ("frauds missed", done.missed_frauds, -1),
        (f"of {done.holdout:,} let through at random", done.holdout_frauds, -1),
    ):
        assert f"{what} {costing.charges:,} {dollars(sign * costing.cost)}" in text
    assert f"saved against allowing all {dollars(done.money.saved_against_nothing)}" in text
    against = re.escape(dollars(done.money.saved_against_amount))
    assert re.search(rf"against (any amount limit|blocking from \S+ on) {against}", text)
    assert f"{report.outcomes_taken:,} taken, 0 rejected; by now 7 disputes" in text


@pytest.mark.parametrize("width", [80, 100])
def test_no_figure_of_the_summary_is_cut_off(run: Run, width: int) -> None:
    report = run.report()
    out = StringIO()
    Console(file=out, width=width).print(summary(report))
    for count in report.actions:
        assert re.search(rf"{count.charges:,} +{re.escape(dollars(count.amount))}", out.getvalue())
    assert dollars(-report.balance.missed_frauds.cost) in out.getvalue()
