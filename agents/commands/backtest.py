"""`chargewatch backtest`: scores and learns over files, without Kafka."""

import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
import orjson
from rich import box
from rich.console import Console
from rich.table import Table

from agents.backtest.replay import Replay
from agents.backtest.runs import run_closed, run_open
from agents.evaluation.drift import drift_summary
from agents.evaluation.formatting import dollars, estimate, headlines, number, percent
from agents.evaluation.loop import loop_estimates, loop_summary
from agents.evaluation.outcome_collector import Gathering
from agents.evaluation.rejections import Rejections
from agents.evaluation.report import report_page
from agents.evaluation.summary import evaluate
from agents.models.kinds import DEFAULT, KINDS, check_trainable
from agents.process import collecting_rarely, peak_rss_mb
from agents.settings.schema import Settings
from agents.terminal.event_files import ALLOW
from agents.terminal.history_files import (
    check_start,
    made,
    period_of,
    with_horizon,
    write_file,
)
from agents.terminal.history_options import with_history
from agents.terminal.mapped_files import Sources, history_sources, tell_notes, with_signals
from agents.terminal.model_files import write_model
from agents.terminal.options import with_settings
from agents.terminal.progress import progress_of_events
from agents.terminal.rates import warn_of_old_rates
from agents.terminal.rule_files import active_rules
from schemas.edits import EVERYONE
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
@click.argument("labels", type=_FILE, nargs=-1, metavar="[DISPUTES] [OUTCOMES]")
@click.option("--out", type=_FILE, required=True, metavar="SCORES", help="File of scored events")
@with_history("report.html, metrics.json and rejected.jsonl")
@click.option(
    "--save-model",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File for what was learned, to go on from with `chargewatch models load`",
)
@click.option(
    "--closed-loop",
    is_flag=True,
    help="Carry the actions out: the disputes of what they stop do not come",
)
@click.option(
    "--rules", type=_FILE, metavar="FILE", help="Rules that decide beside the model, for all"
)
@click.option(
    "--model",
    type=click.Choice(list(KINDS)),
    default=DEFAULT,
    show_default=True,
    help="Kind of the model that learns and scores",
)
@with_settings()
def command(
    settings: Settings,
    *,
    model: str,
    charges: Path,
    labels: tuple[Path, ...],
    out: Path,
    mapping: str | None,
    label_horizon: float | None,
    start: float | None,
    end: float | None,
    report: Path | None,
    save_model: Path | None,
    closed_loop: bool,
    rules: Path | None,
    allow_rejected: bool,
) -> None:
    """Score the charges of a file as a worker would, and learn from disputes and outcomes.

    All charges are processed, in the order of event time, and all scored events are written, one a
    line. The metrics are of the charges made between --from and --to: Unix seconds, or an ISO date
    or time, in UTC unless it says otherwise. A charge that any dispute in the file calls fraudulent
    is a fraud.

    The charges went through, but for what their outcomes tell. With --closed-loop the actions are
    carried out instead, by the rates of the cost table: challenges and reviews come back as
    outcomes, a holdout goes through, and what is stopped is not disputed. The metrics and SCORES
    are of the closed loop then, and the report has the open one beside it.

    With --rules a set of rules decides beside the model, as in a worker where they are in force for
    all merchants; `chargewatch rules backtest` tells what they would change.

    Files are JSON Lines (.jsonl, .jsonl.gz, .jsonl.zst). The inputs may also be other JSON
    (.ndjson, .json; lines, an array, or events over several lines), CSV (.csv, .csv.gz, .csv.zst)
    and Parquet. With --map their columns may be anything: a mapping says what they are, and a
    column of labels becomes disputes. It ends with an
    error when less than half of the events of one of them can be used, at once if already its
    first events are such; a dispute of an unknown charge cannot be used.

    Of each charge some 820 bytes stay in memory for as long as it may be disputed (the setting
    dispute_retention_days).
    """
    check_trainable([model])
    period = period_of(start, end)
    sources = _sources(settings, charges, labels, mapping, closed_loop=closed_loop)
    settings = with_signals(settings, sources.mapping)
    deciding = active_rules(EVERYONE, rules)
    _check_out(out, charges, *labels)
    if save_model is not None:
        _check_writable(save_model)
    settings = with_horizon(settings, label_horizon)
    warn_of_old_rates(settings)
    if not allow_rejected:
        for kind, source in sources.of_kinds():
            check_start(source, kind, settings)
    every, noted = [source for _, source in sources.of_kinds()], set[str]()
    tell_notes(every, noted)
    listing = nullcontext() if report is None else event_writer(made(report) / "rejected.jsonl")
    began = time.monotonic()
    with listing as listed, collecting_rarely(), progress_of_events() as show:
        rejections = Rejections(listed)
        max_created = time.time() + settings.future_allowance_minutes * 60.0
        replay = Replay(
            sources.charges,
            sources.disputes,
            max_created,
            settings.input_rules,
            sources.outcomes,
        )
        written = None if closed_loop else out
        gathering = Gathering(*period, settings.payment_methods)
        run, last = run_open(
            settings, replay, written, gathering, rejections, show, deciding, model
        )
        opened = evaluated = gathering.outcomes()
        if closed_loop:
            came_back = (report / "outcomes.jsonl", report / "disputes.jsonl") if report else None
            gathering = Gathering(*period, settings.payment_methods)
            run = run_closed(settings, replay, out, came_back, gathering, show, deciding, model)
            evaluated = gathering.outcomes()
    seconds = time.monotonic() - began
    backtest = run.backtest
    metrics: dict[str, Any] = {
        "files": [str(file) for file in (charges, *labels)],
        **({} if mapping is None else {"mapping": mapping}),
        "signals": [signal.name for signal in settings.signals],
        "label_horizon_days": settings.label_horizon_days,
        "model": None if backtest.snapshot is None else backtest.snapshot.version,
        "charges_scored": gathering.charges,
        "duplicates": gathering.duplicates,
        "rejected": rejections.counts,
        "disputes_waiting": last.waiting,
        "findings": rejections.findings_by_kind,
        "drift": drift_summary(run.finished),
        "still_disputable": gathering.still_disputable(settings.label_horizon_days * DAY_S),
        "seconds": seconds,
        "charges_per_second": gathering.charges / seconds,
        **evaluate(evaluated, settings.costs),
    }
    if closed_loop:
        summary = loop_summary(opened, evaluated, gathering.drawn(), settings.costs)
        told = loop_estimates(gathering, settings.label_horizon_days * DAY_S)
        metrics["closed_loop"] = {**summary, "estimates": told}
    tell_notes(every, noted)
    metrics["peak_rss_mb"] = peak_rss_mb() + last.peak_rss_mb
    _show(metrics, rejections, report)
    if report is not None:
        write_file(report / "metrics.json", orjson.dumps(metrics, option=orjson.OPT_INDENT_2))
        write_file(report / "report.html", report_page(evaluated, metrics).encode())
        click.echo(f"Report: {report / 'report.html'}")
    if save_model is not None:
        _save(save_model, backtest.learned())
    for file, inputs in replay.inputs_by_file.items():
        objection = rejections.objection(file, inputs)
        if objection and not allow_rejected:
            raise FileError(f"{objection}. What was written is of the rest; {ALLOW} accepts that")


def _sources(
    settings: Settings,
    charges: Path,
    labels: tuple[Path, ...],
    mapping: str | None,
    *,
    closed_loop: bool,
) -> Sources:
    sources = history_sources(charges, labels, mapping, settings)
    if not closed_loop:
        return sources
    for source in sources.outcomes:
        if source.path != charges:
            raise click.UsageError(f"{source.name}: --closed-loop makes outcomes of its own")
    return sources._replace(outcomes=())


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


def _show_loop(loop: dict[str, Any]) -> None:
    table = Table("", "Nobody acts", "Actions carried out", box=box.SIMPLE_HEAD)
    sides = loop["open"], loop["closed"]
    table.add_row("Average precision", *(number(side["average_precision"]) for side in sides))
    table.add_row("Frauds stopped", *(percent(side["stopped"]) for side in sides))
    table.add_row("Saved", *(dollars(side["saved"]) for side in sides))
    Console().print(table)
    held = loop["closed"]["holdout"]
    block = loop["estimates"]["actions"]["block"]
    click.echo(
        f"Of {block['charges']:,.0f} blocks past the label horizon {block['labels']:,} were seen: "
        f"precision {percent(block['truth']['all']['precision'])}, estimated "
        f"{estimate(block['precision']['doubly_robust'])}."
    )
    click.echo(
        f"The holdout let {held['charges']:,} charges through, {held['frauds']:,} of them frauds: "
        f"{dollars(held['cost'])}."
    )


def _show(metrics: dict[str, Any], rejections: Rejections, report: Path | None) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("Metric")
    table.add_column("Value", justify="right")
    for name, value, _ in headlines(metrics):
        table.add_row(name, value)
    Console().print(table)
    if loop := metrics.get("closed_loop"):
        _show_loop(loop)
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
