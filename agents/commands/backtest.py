"""`chargewatch backtest`: scores and learns over files, without Kafka."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from math import inf
from pathlib import Path
from typing import Any

import click
import orjson
from msgspec.structs import replace
from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from agents.backtest.backtest import Backtest
from agents.backtest.card_pass import Read, read
from agents.backtest.read_ahead import running_ahead
from agents.backtest.replay import Replay
from agents.drift.monitor import Finished
from agents.evaluation.drift import drift_summary
from agents.evaluation.formatting import headlines
from agents.evaluation.outcome_collector import Gathering
from agents.evaluation.rejections import Rejections
from agents.evaluation.report import report_page
from agents.evaluation.summary import evaluate
from agents.process import collecting_rarely, peak_rss_mb
from agents.settings.schema import Settings
from agents.settings.sources import SettingsError
from agents.terminal.event_files import ALLOW, LOOKED_AT, Kind, survey
from agents.terminal.model_files import write_model
from agents.terminal.options import with_settings
from agents.terminal.rates import warn_of_old_rates
from agents.terminal.times import Time
from schemas.printable import printable
from schemas.snapshot import Snapshot
from streams.durations import DAY_S
from streams.events.files import FileError, event_writer

_FOUND = {
    "ignored": "Fields ignored",
    "masked": "Card numbers masked",
    "card_number": "Fields that look like card numbers",
}
_FILE = click.Path(path_type=Path)


@click.command(
    "backtest",
    epilog="Example: chargewatch backtest charges.parquet disputes.parquet --out scores.jsonl.gz "
    "--from 2018-05-15 --report report",
)
@click.argument("charges", type=_FILE)
@click.argument("disputes", type=_FILE, required=False)
@click.option("--out", type=_FILE, required=True, metavar="SCORES", help="File of scored events")
@click.option(
    "--label-horizon",
    type=click.FloatRange(min=0, min_open=True, max=180),
    metavar="DAYS",
    help="A charge not disputed for so long counts as genuine  [CHARGEWATCH_LABEL_HORIZON_DAYS]",
)
@click.option("--from", "start", type=Time(), help="First time that counts")
@click.option("--to", "end", type=Time(), help="First time that counts no more")
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Directory for report.html, metrics.json and rejected.jsonl",
)
@click.option(
    "--save-model",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File for what was learned, to go on from with `chargewatch models load`",
)
@click.option(
    ALLOW, is_flag=True, help="Go on even if less than half of a file's events can be used"
)
@with_settings()
def command(
    settings: Settings,
    *,
    charges: Path,
    disputes: Path | None,
    out: Path,
    label_horizon: float | None,
    start: float | None,
    end: float | None,
    report: Path | None,
    save_model: Path | None,
    allow_rejected: bool,
) -> None:
    """Score the charges of a file as a worker would, and learn from the disputes of another.

    All charges are processed, in the order of event time, and all scored events are written, one a
    line. The metrics are of the charges made between --from and --to: Unix seconds, or an ISO date
    or time, in UTC unless it says otherwise. A charge that any dispute in the file calls fraudulent
    is a fraud.

    Files are JSON Lines (.jsonl, .jsonl.gz, .jsonl.zst). CHARGES and DISPUTES may also be other
    JSON (.ndjson, .json; lines, an array, or events over several lines) and Parquet. It ends with
    an error when less than half of the events of one of them can be used, at once if already its
    first events are such; a dispute of an unknown charge cannot be used.

    Of each charge some 750 bytes stay in memory for as long as it may be disputed (the setting
    dispute_retention_days).
    """
    period = (-inf if start is None else start, inf if end is None else end)
    if period[0] >= period[1]:
        raise click.UsageError("--from: expected a time before --to")
    _check_out(out, charges, disputes)
    if save_model is not None:
        _check_writable(save_model)
    settings = _with_horizon(settings, label_horizon)
    warn_of_old_rates(settings)
    if not allow_rejected:
        _check_start(charges, "charges", settings)
        if disputes is not None:
            _check_start(disputes, "disputes", settings)
    listing = nullcontext() if report is None else event_writer(_made(report) / "rejected.jsonl")
    gathering = Gathering(*period)
    finished: list[Finished] = []
    began = time.monotonic()
    with listing as listed, collecting_rarely():
        rejections = Rejections(listed)
        max_created = time.time() + settings.future_allowance_minutes * 60.0
        replay = Replay(charges, disputes, max_created, settings.input_rules)
        backtest, last = _score(settings, replay, out, gathering, finished, rejections)
    seconds = time.monotonic() - began
    outcomes = gathering.outcomes()
    metrics: dict[str, Any] = {
        "files": [str(file) for file in (charges, disputes) if file],
        "label_horizon_days": settings.label_horizon_days,
        "model": None if backtest.snapshot is None else backtest.snapshot.version,
        "charges_scored": gathering.charges,
        "duplicates": gathering.duplicates,
        "rejected": rejections.counts,
        "disputes_waiting": last.waiting,
        "findings": rejections.findings_by_kind,
        "drift": drift_summary(finished),
        "still_disputable": gathering.still_disputable(settings.label_horizon_days * DAY_S),
        "seconds": seconds,
        "charges_per_second": gathering.charges / seconds,
        **evaluate(outcomes, settings.costs),
    }
    metrics["peak_rss_mb"] = peak_rss_mb() + last.peak_rss_mb
    _show(metrics, rejections, report)
    if report is not None:
        _write(report / "metrics.json", orjson.dumps(metrics, option=orjson.OPT_INDENT_2))
        _write(report / "report.html", report_page(outcomes, metrics).encode())
        click.echo(f"Report: {report / 'report.html'}")
    if save_model is not None:
        _save(save_model, backtest.learned())
    for file, inputs in replay.inputs_by_file.items():
        objection = rejections.objection(file, inputs)
        if objection and not allow_rejected:
            raise FileError(f"{objection}. What was written is of the rest; {ALLOW} accepts that")


def _check_start(file: Path, kind: Kind, settings: Settings) -> None:
    """Fail at once, and not after an hour, on a file of which nothing much will come."""
    found = survey(file, kind, settings, LOOKED_AT)
    if not found.events and kind == "charges":  # there may be no disputes
        raise FileError(f"{file}: holds no events. Nothing was scored; {ALLOW} goes on")
    if 2 * found.others > found.events:
        raise FileError(
            f"{file}: expected {kind}, but event {found.first_other} and most others at its start "
            f"are not: the order is CHARGES DISPUTES; {ALLOW} goes on all the same"
        )
    if objection := found.rejections.objection(str(file), found.events):
        raise FileError(f"{objection}. Nothing was scored; {ALLOW} goes on")


def _check_out(out: Path, *inputs: Path | None) -> None:
    if out.suffix == ".parquet":
        raise FileError(f"{out}: scored events are written as lines, so .jsonl is expected")
    if any(file is not None and out.resolve() == file.resolve() for file in inputs):
        raise FileError(f"{out}: is an input, and would be lost")


def _check_writable(file: Path) -> None:
    """Fail at once, and not after an hour of learning."""
    if not file.parent.is_dir():
        raise FileError(f"{file}: there is no directory {file.parent}")


def _save(file: Path, learned: Snapshot | None) -> None:
    if learned is None:
        raise FileError(f"{file}: not written, as no label has come: nothing was learned")
    write_model(file, learned)
    click.echo(f"Model: {file}, {learned.version}")


def _with_horizon(settings: Settings, days: float | None) -> Settings:
    if days is None:
        return settings
    try:
        return replace(settings, label_horizon_days=days)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _made(directory: Path) -> Path:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{directory}: {error.strerror}") from None
    return directory


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from None


def _score(
    settings: Settings,
    replay: Replay,
    out: Path,
    gathering: Gathering,
    finished: list[Finished],
    rejections: Rejections,
) -> tuple[Backtest, Read]:
    """Score everything; return the backtest at its end, and what was read last."""
    backtest = Backtest(settings, time.time)
    with _progress() as show:
        for inputs in replay.survey():
            show("reading the times", inputs, None)
        with event_writer(out) as scores, running_ahead(read, replay, settings) as parts:
            for part in parts:
                rejections.add(part.rejected)
                rejections.findings += part.findings
                for counted in part.counted:
                    rejections.add(counted.rejected)
                    gathering.add_events(counted.frames.rows["event"])
                    for step in backtest.score(counted):
                        output = step.output
                        scores.write(output.scored)
                        gathering.add_scored(
                            step.charges, step.first_of_card, output.actions, output.scored
                        )
                        finished.extend(output.finished)
                        rejections.add(output.rejected)
                show("scoring", part.inputs, replay.inputs)
    return backtest, part


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int | None], None]]:
    """Show on stderr what is done, how far it is, and of how much if that is known."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} events"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=None)
        shown = ""

        def show(what: str, done: int, of: int | None) -> None:
            nonlocal shown
            if what != shown:
                shown = what
                progress.reset(task, description=what, total=of)
            progress.update(task, completed=done)

        yield show


def _show(metrics: dict[str, Any], rejections: Rejections, report: Path | None) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("Metric")
    table.add_column("Value", justify="right")
    for name, value, _ in headlines(metrics):
        table.add_row(name, value)
    Console().print(table)
    click.echo(
        f"{metrics['charges_scored']:,} charges scored in {metrics['seconds']:.1f} s "
        f"({metrics['charges_per_second']:,.0f} a second), {metrics['duplicates']:,} of them "
        f"duplicates; peak memory {metrics['peak_rss_mb']:,.0f} MB"
    )
    if young := metrics["still_disputable"]:
        click.echo(f"{young:,} of the charges may still be disputed: they count as genuine.")
    if waiting := metrics["disputes_waiting"]:
        click.echo(f"{waiting:,} disputes are of no charge that came; they would go on waiting.")
    if rejections.counts:
        where = "" if report is None else f", listed in {report / 'rejected.jsonl'}"
        click.echo(f"{rejections.counts.total():,} inputs rejected{where}:")
        for reason, count in rejections.counts.most_common():
            click.echo(f"  {reason} {count:,}, first {printable(rejections.first[reason])}")
    for finding, fields in rejections.findings_by_kind.items():
        told = ", ".join(f"{name} {count:,}" for name, count in fields.items())
        click.echo(f"{_FOUND[finding]}: {told}")
