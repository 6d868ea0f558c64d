"""What is shown of the results, and kept of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from tests.bench.intervals import RATES
from tests.bench.percentiles import picture
from tests.bench.scaling_picture import picture as scaling_picture
from tests.bench.throughput import Ratio, ratios

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.bench.intervals import Interval
    from tests.bench.latency import Latency
    from tests.bench.profiling import Profile
    from tests.bench.restore import Restore
    from tests.bench.scaling import Scaling, Size
    from tests.bench.throughput import Line
    from tests.bench.window_cost import WindowCost

WIDTH = 110

LATENCY_TARGETS_MS = {
    ("exactly_once", 2_300): {"p50": 50.0, "p99": 100.0},
    ("at_least_once", 2_300): {"p99": 25.0},
}
"""By guarantee and charges a second."""


@dataclass
class Results:
    """All that was measured; what was not is empty."""

    machine: dict[str, Any]
    throughput: list[Line] = field(default_factory=list)
    latency: list[Latency] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)
    restore: Restore | None = None
    scaling: Scaling | None = None
    profile: Profile | None = None

    def ratios(self) -> list[Ratio]:
        """Return how our worker compares."""
        return ratios(self.throughput) if self.throughput else []

    def write(self, directory: Path) -> None:
        """Write `results.json`, `results.txt` as it is shown, and the pictures."""
        kept = asdict(self) | {
            "ratios": [asdict(ratio) | {"met": ratio.is_met} for ratio in self.ratios()]
        }
        if self.profile:
            del kept["profile"]["picture"]  # a file of its own
        text = orjson.dumps(kept, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
        (directory / "results.json").write_bytes(text)
        with (directory / "results.txt").open("w", encoding="utf-8") as file:
            self.show(Console(file=file, width=WIDTH))
        if self.latency:
            (directory / "latency.svg").write_bytes(picture(self.latency))
        if self.scaling:
            (directory / "scaling.svg").write_bytes(scaling_picture(self.scaling.sizes))
        if self.profile:
            (directory / "profile.svg").write_text(self.profile.picture, encoding="utf-8")

    def show(self, console: Console) -> None:
        """Print the tables."""
        facts = self.machine
        console.print(
            f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_gb']} GB; {facts['at']}, "
            f"commit {facts['commit']}, load {facts['load'][0]:.1f} at the start"
        )
        if self.throughput:
            console.print(_throughput(self.throughput), _ratios(self.ratios()))
        if self.latency:
            console.print(_latency(self.latency))
        if self.intervals:
            console.print(_intervals(self.intervals))
        if self.restore:
            console.print(_restore(self.restore))
        if self.scaling:
            console.print(_sizes(self.scaling.sizes), _windows(self.scaling.windows))
        if self.profile:
            console.print(_functions(self.profile), _threads(self.profile))


def _table(title: str, *columns: str) -> Table:
    """Return a table of which all columns but the first are of numbers."""
    table = Table(title=title, title_justify="left", box=SIMPLE)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    return table


def _throughput(lines: Sequence[Line]) -> Table:
    rounds = len(lines[0].runs)
    table = _table(
        f"Throughput, medians of {rounds} rounds",
        "one process", "guarantee", "charges/s", "lowest to highest", "CPU s/million", "charges",
    )  # fmt: skip
    for line in sorted(lines, key=lambda one: -one.charges_per_s):
        low, high = line.spread
        table.add_row(
            line.name, line.guarantee, f"{line.charges_per_s:,.0f}", f"{low:,.0f} to {high:,.0f}",
            f"{line.cpu_s_per_million:,.1f}", f"{line.charges:,}",
        )  # fmt: skip
    return table


def _ratios(found: Sequence[Ratio]) -> Table:
    table = _table("Chargewatch, exactly_once, against", "", "times", "target", "")
    for ratio in found:
        table.add_row(
            ratio.against, f"{ratio.measured:.2f}", f"{ratio.target:g}", _verdict(ratio.is_met)
        )
    return table


def _latency(found: Sequence[Latency]) -> Table:
    names = list(found[0].quantiles)
    table = _table(
        "Latency in ms, open loop, from scheduled send to a read_committed subscriber",
        "guarantee", "charges/s", *names, "sender behind", "charges", "targets",
    )  # fmt: skip
    for one in found:
        targets = LATENCY_TARGETS_MS.get((one.guarantee, one.rate), {})
        verdicts = [
            f"{name} < {limit:g} {_verdict(one.quantiles[name] < limit)}"
            for name, limit in targets.items()
        ]
        table.add_row(
            one.guarantee, f"{one.rate:,}", *(f"{one.quantiles[name]:.1f}" for name in names),
            f"{one.behind_ms:.1f}", f"{one.charges:,}", "\n".join(verdicts),
        )  # fmt: skip
    return table


def _intervals(found: Sequence[Interval]) -> Table:
    columns = [(rate, name) for rate in RATES for name in ("p50", "p99")]
    table = _table(
        "Commit interval, exactly once: latency in ms at a rate, and full load",
        "ms", *(f"{name} at {rate:,}/s" for rate, name in columns), "charges/s", "CPU s/million",
    )  # fmt: skip
    for one in found:
        table.add_row(
            f"{one.commit_interval_ms:,}",
            *(f"{one.quantiles[rate][name]:.1f}" for rate, name in columns),
            f"{one.full_load.charges_per_s:,.0f}", f"{one.full_load.cpu_s_per_million:,.1f}",
        )  # fmt: skip
    return table


def _restore(found: Restore) -> Table:
    table = _table(f"Restore and start, state of {found.charges:,} charges", "", "")
    table.add_row("restored records", f"{found.records:,}")
    table.add_row("records/s", f"{found.records_per_s:,.0f}")
    table.add_row("start to first score: without state, s", f"{found.fresh_s:.2f}")
    table.add_row("... with its state, s", f"{found.kept_s:.2f}")
    table.add_row("... with the state deleted, s", f"{found.restored_s:.2f}")
    table.add_row("import of the worker, s", f"{found.import_s:.2f}")
    table.add_row("another's tasks taken over and restored, s", f"{found.taken_over_s:.2f}")
    table.add_row("... with standby copies, s", f"{found.copied_s:.2f}")
    return table


def _sizes(found: Sequence[Size]) -> Table:
    table = _table(
        "Scaling: all workers together, and the memory of the largest",
        "what grows", "to", "charges/s", "CPU s/million", "peak MB", "state MB", "charges",
    )  # fmt: skip
    for one in found:
        table.add_row(
            one.grows, f"{one.size:,}", f"{one.run.charges_per_s:,.0f}",
            f"{one.run.cpu_s_per_million:,.1f}", f"{one.peak_mb:,.0f}", f"{one.state_mb:,.0f}",
            f"{one.charges:,}",
        )  # fmt: skip
    return table


def _windows(found: Sequence[WindowCost]) -> Table:
    table = _table("Five windows, of a card or of a merchant", "tiles", "bytes", "ns a charge")
    for one in found:
        table.add_row(f"{one.tiles:,}", f"{one.bytes:,}", f"{one.ns_per_charge:,.0f}")
    return table


def _functions(found: Profile) -> Table:
    table = _table(
        f"Python threads of a worker at full load, {found.samples:,} samples",
        "function", "% with what it calls", "% itself",
    )  # fmt: skip
    for name, whole, own in found.functions:
        table.add_row(name, f"{100.0 * whole:.1f}", f"{100.0 * own:.1f}")
    return table


def _threads(found: Profile) -> Table:
    table = _table("CPU by threads", "name", "s", "%")
    total = sum(found.threads.values())
    for name, cpu_s in sorted(found.threads.items(), key=lambda item: -item[1]):
        table.add_row(name, f"{cpu_s:.2f}", f"{100.0 * cpu_s / total:.1f}")
    return table


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "NOT met"
