"""`chargewatch rules backtest`: what rules would change, on charges whose outcome is known."""

import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Self

import click
import orjson
from msgspec.structs import replace

from agents.backtest.replay import Replay
from agents.backtest.trial_run import run_trial
from agents.evaluation.rejections import Rejections
from agents.evaluation.report.trial import trial_page
from agents.evaluation.trial.summary import changes
from agents.evaluation.trial.trial import OnTrial, Trial
from agents.policy.active_rules import ActiveRules, MerchantRuleSet
from agents.policy.lists import NamedLists
from agents.policy.policy import Policy
from agents.policy.terms import TermsTable
from agents.process import collecting_rarely, peak_rss_mb
from agents.rules.rule_set import RuleSet
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
    Sources,
    history_sources,
    plain_sources,
    tell_notes,
    with_signals,
)
from agents.terminal.options import with_settings
from agents.terminal.policy_topics import PolicyTopics
from agents.terminal.progress import progress_of_events
from agents.terminal.rates import warn_of_old_rates
from agents.terminal.retained_history import write_history
from agents.terminal.rule_changes import show_changes
from agents.terminal.rule_files import VERSION, read_rules
from schemas.edits import EVERYONE
from streams.durations import DAY_S
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
    settings = replace(with_horizon(settings, label_horizon), actions="advisory")
    read_rules(rules)  # to refuse it before anything is read
    warn_of_old_rates(settings)
    with TemporaryDirectory(prefix="chargewatch-") as directory:
        if charges is None:
            topics = PolicyTopics(settings)
            with progress_of_events() as show:
                files = write_history(topics.clients, topics.names, Path(directory), show)
            sources = plain_sources(files)
            standing = _standing(topics)
        else:
            sources = history_sources(charges, labels, mapping, settings)
            settings = with_signals(settings, sources.mapping)
            standing = _Standing(bare_policy(settings), {})
        if instead_of is not None:
            standing = standing.with_rules(merchant, read_rules(instead_of))
        for kind, source in sources.of_kinds():
            if not allow_rejected:
                check_start(source, kind, settings)
        tell_notes([source for _, source in sources.of_kinds()], set())
        on_trial = OnTrial(merchant, read_rules(rules))
        trial = _trial(settings, standing, on_trial, period)
        told = _try(settings, sources, trial, on_trial, standing.policy.terms, report)
    told |= {
        "rules_file": str(rules),
        "instead_of": None if instead_of is None else str(instead_of),
    }
    objections = told.pop("objections")
    _tell(told, report, as_json=as_json)
    for objection in objections:
        if not allow_rejected:
            raise FileError(f"{objection}. What was told is of the rest; {ALLOW} accepts that")


class _Standing(NamedTuple):
    """What decides beside the model now: rules by merchant, and a policy of all else."""

    policy: Policy
    sets: Mapping[str, MerchantRuleSet]

    def with_rules(self, merchant: str, rules: RuleSet) -> Self:
        """Return it with other rules of a merchant."""
        version = self.sets[merchant].version + 1 if merchant in self.sets else VERSION
        return self._replace(
            sets={**self.sets, merchant: MerchantRuleSet(merchant, version, rules)}
        )

    @property
    def whole(self) -> Policy:
        """The policy with the rules."""
        return self.policy.under(ActiveRules(self.sets))


def _standing(topics: PolicyTopics) -> _Standing:
    """Return what is in force in an installation."""
    lists = NamedLists()
    lists.take(topics.lists().entries.values())
    return _Standing(Policy(topics.merchants().table(), lists=lists), topics.rules().sets())


def _trial(
    settings: Settings, standing: _Standing, on_trial: OnTrial, period: tuple[float, float]
) -> Trial:
    return Trial(
        standing.whole,
        standing.with_rules(on_trial.merchant, on_trial.rules).whole,
        on_trial,
        has_test_cards=settings.test_cards,
        start=period[0],
        end=period[1],
    )


def _try(
    settings: Settings,
    sources: Sources,
    trial: Trial,
    on_trial: OnTrial,
    terms: TermsTable,
    report: Path | None,
) -> dict[str, Any]:
    """Run a trial over files, and return what came of it."""
    listing = nullcontext() if report is None else event_writer(made(report) / "rejected.jsonl")
    began = time.monotonic()
    with listing as listed, collecting_rarely(), progress_of_events() as show:
        rejections, replay = Rejections(listed), _replay(settings, sources)
        run, last = run_trial(settings, replay, trial, rejections, show)
    told = changes(on_trial, trial.tried(settings.label_horizon_days * DAY_S), terms)
    seconds = time.monotonic() - began
    objections = (rejections.objection(file, n) for file, n in replay.inputs_by_file.items())
    return told | {
        "files": sources.files,
        "label_horizon_days": settings.label_horizon_days,
        "charges_scored": run.charges,
        "duplicates": run.duplicates,
        "rejected": rejections.counts,
        "disputes_waiting": last.waiting,
        "seconds": seconds,
        "charges_per_second": run.charges / seconds,
        "peak_rss_mb": peak_rss_mb() + last.peak_rss_mb,
        "objections": [objection for objection in objections if objection],
    }


def _replay(settings: Settings, sources: Sources) -> Replay:
    max_created = time.time() + settings.future_allowance_minutes * 60.0
    return Replay(
        sources.charges, sources.disputes, max_created, settings.input_rules, sources.outcomes
    )


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
