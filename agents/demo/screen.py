"""Where the demo is shown: live in a terminal, as plain lines anywhere else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console, RenderableType
from rich.live import Live

from agents.demo.closing import summary
from agents.demo.figures import HistoryNow, LiveNow, Report
from agents.demo.scenario import Scenario
from agents.demo.views import day, history_view, learned, live_view
from agents.evaluation.formatting import dollars, number

_LINE_EVERY_S = 5.0


class Screen:
    """Shows the steps of the demo and how its parts go.

    Parameters
    ----------
    console
        Where.
    scenario
        What is played.
    """

    def __init__(self, console: Console, scenario: Scenario) -> None:
        self._console = console
        self._scenario = scenario
        self._live: Live | None = None
        self._last: LiveNow | None = None
        self._line_at = 0.0

    def say(self, text: str) -> None:
        """Show a line."""
        self._console.print(text, highlight=False, soft_wrap=True)

    @contextmanager
    def step(self, doing: str) -> Iterator[Callable[[str], None]]:
        """Show that something takes time, and then what was done, as told by calling what it gives.

        Nothing more is shown when it fails.
        """
        began = monotonic()
        done: list[str] = []
        if self._console.is_terminal:
            with self._console.status(doing):
                yield done.append
        else:
            self.say(f"{doing} ...")
            yield done.append
        for text in done:
            self._done(text, monotonic() - began)

    @contextmanager
    def part(self, *, stays: bool) -> Iterator[None]:
        """Make room for a part; whether its last view stays when it is over."""
        self._line_at = 0.0
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, auto_refresh=False, transient=not stays) as self._live:
            yield

    def history(self, now: HistoryNow) -> None:
        """Show how far the history is."""
        self._show(
            lambda: history_view(now, self._scenario),
            lambda: (
                f"  {now.share:4.0%} {day(now.stream_time)}: {now.counts.scored:,} charges, "
                f"{now.charges_per_s:,.0f}/s; {now.model.version} from {learned(now.model)}"
            ),
        )

    def history_done(self, now: HistoryNow, seconds: float) -> None:
        """Show that the history is over."""
        days = now.share * self._scenario.history_days
        self._done(f"{days:.0f} days of history: {now.counts.scored:,} charges scored", seconds)

    def live(self, now: LiveNow) -> None:
        """Show how the live part goes."""
        self._last = now
        self._show(lambda: self.last_view(self._console.height), lambda: _live_line(now))

    def summary(self, report: Report) -> None:
        """Show what came of the run."""
        self._console.print(summary(report))

    def last_view(self, lines: int) -> RenderableType:
        """Return the last view of the live part, of about so many lines."""
        assert self._last is not None, "the live part was shown"
        return live_view(self._last, self._scenario, lines)

    def _done(self, text: str, seconds: float) -> None:
        self.say(f"[green]✓[/] {text} ({seconds:.1f} s)")

    def _show(self, view: Callable[[], RenderableType], line: Callable[[], str]) -> None:
        if self._console.is_terminal:
            assert self._live is not None, "shown within a part"
            self._live.update(view(), refresh=True)
        elif monotonic() - self._line_at >= _LINE_EVERY_S:
            self._line_at = monotonic()
            self.say(line())


def _live_line(now: LiveNow) -> str:
    took = now.latency
    counts = ", ".join(f"{count.charges:,} {count.action}" for count in now.actions)
    latency = "" if took is None else f"; p50 {took.p50_ms:.0f} ms, p99 {took.p99_ms:.0f} ms"
    return (
        f"  {now.elapsed_s:3.0f} s: {now.charges_per_s:,.0f} charges/s{latency}; {counts}; average "
        f"precision {number(now.average_precision, 2)}, saved "
        f"{dollars(now.balance.money.saved_against_nothing)}, {now.model.frauds:,} frauds learned"
    )
