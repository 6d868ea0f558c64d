"""`chargewatch rules backtest`: what rules would change, on charges whose outcome is known."""

from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import orjson

from agents.backtest.rules_trial import Standing, try_rules
from agents.commands.retained_trial import retained_sources, standing_on
from agents.evaluation.rejections import Rejections
from agents.evaluation.report.trial import trial_page
from agents.evaluation.trial.trial import OnTrial
from agents.settings.schema import Settings
from agents.stages.tasks import bare_policy
from agents.terminal.event_files import ALLOW
from agents.terminal.history_files import (
    check_start,
    made,
    period_of,
    with_horizon,
    write_file,
)
from agents.terminal.history_options import with_history
from agents.terminal.mapped_files import (
    history_sources,
    tell_notes,
    with_signals,
)
from agents.terminal.options import with_settings
from agents.terminal.policy_topics import PolicyTopics
from agents.terminal.progress import progress_of_events
from agents.terminal.rates import warn_of_old_rates
from agents.terminal.rule_changes import show_changes
from agents.terminal.rule_files import read_rules
from schemas.edits import EVERYONE
from streams.events.files import FileError, event_writer

_FILE = click.Path(path_type=Path)


@click.command(
    "backtest",
    epilog="Example: chargewatch rules backtest rules.txt charges.parquet disputes.parquet "
    "--instead-of rules-now.txt --from 2018-05-15 --report report",
)
@click.argument("rules", type=_FILE)
@click.argument("charges", type=_FILE, required=False)
@click.argument("labels", type=_FILE, nargs=-1, metavar="[DISPUTES] [OUTCOMES]")
@click.option(
    "--merchant",
    default=EVERYONE,
    show_default=True,
    help="Whose rules; * for those of all. Of a merchant's rules its own charges are told",
)
@click.option(
    "--instead-of",
    type=_FILE,
    metavar="FILE",
    help="Rules that are in force now  [default: with files none, else those of the installation]",
)
@with_history("report.html, changes.json and rejected.jsonl")
@click.option("--json", "as_json", is_flag=True, help="Print what changes.json has, and no tables")
@with_settings()
def command(
    settings: Settings,
    *,
    rules: Path,
    charges: Path | None,
    labels: tuple[Path, ...],
    merchant: str,
    instead_of: Path | None,
    mapping: str | None,
    label_horizon: float | None,
    start: float | None,
    end: float | None,
    report: Path | None,
    as_json: bool,
    allow_rejected: bool,
) -> None:
    """Tell what rules would change, on charges whose outcome is known.

    The charges are scored as `chargewatch backtest` does, once, and decided twice: with the rules
    of --instead-of, or by the model alone, and with RULES. Told are the charges that get another
    action, frauds stopped and genuine charges refused, and money, by the cost table; of each rule
    what it matches, decides and catches; rules that never decide anything; rules that overlap; and
    what other constants in place of their own would match.

    Without CHARGES it is tried on what the topics of the installation still hold, beside the rules,
    lists and settings of merchants that are in force there.

    A charge that any dispute in the files calls fraudulent is a fraud. It is genuine when the label
    horizon has passed before the end of the files, unless an outcome says that it was stopped or
    refunded: its silence says nothing then. All others are unknown, and are in no figure of money.

    Files are as for `chargewatch backtest`, and so is what stays in memory; besides, some 60 bytes
    of each charge, and 8 for each attribute that a rule compares with a constant.
    """
    period = period_of(start, end)
    settings = with_horizon(settings, label_horizon)
    read_rules(rules)  # to refuse it before anything is read
    warn_of_old_rates(settings)
    with TemporaryDirectory(prefix="chargewatch-") as directory:
        if charges is None:
            topics = PolicyTopics(settings)
            with progress_of_events() as show:
                sources = retained_sources(topics, Path(directory), show)
            standing = standing_on(topics)
        else:
            sources = history_sources(charges, labels, mapping, settings)
            settings = with_signals(settings, sources.mapping)
            standing = Standing(bare_policy(settings), {})
        if instead_of is not None:
            standing = standing.with_rules(merchant, read_rules(instead_of))
        for kind, source in sources.of_kinds():
            if not allow_rejected:
                check_start(source, kind, settings)
        tell_notes([source for _, source in sources.of_kinds()], set())
        on_trial = OnTrial(merchant, read_rules(rules))
        listing = nullcontext() if report is None else event_writer(made(report) / "rejected.jsonl")
        with listing as listed, progress_of_events() as show:
            rejections = Rejections(listed)
            told = try_rules(settings, sources, standing, on_trial, period, rejections, show)
    told |= {
        "rules_file": str(rules),
        "instead_of": None if instead_of is None else str(instead_of),
    }
    objections = told.pop("objections")
    _tell(told, report, as_json=as_json)
    for objection in objections:
        if not allow_rejected:
            raise FileError(f"{objection}. What was told is of the rest; {ALLOW} accepts that")


def _tell(told: dict[str, Any], report: Path | None, *, as_json: bool) -> None:
    """Write the files of the report, if there is to be one, and print what changes."""
    document = orjson.dumps(told, option=orjson.OPT_INDENT_2)
    if report is not None:
        write_file(report / "changes.json", document)
        write_file(report / "report.html", trial_page(told).encode())
    if as_json:
        click.echo(document)
        return
    show_changes(told)
    if report is not None:
        click.echo(f"Report: {report / 'report.html'}")
