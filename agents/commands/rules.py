"""`chargewatch rules`: checks, puts, shows and takes back the rules of merchants."""

import difflib
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from agents.commands.rules_backtest import command as backtest
from agents.evaluation.rule_estimates import rule_lines
from agents.policy.active_rules import ActiveRule
from agents.policy.edits import StaleEditError, UnknownVersionError, put_rules
from agents.rules.list_names import without_entries
from agents.rules.rule_set import RuleSet, parse
from agents.settings.schema import Settings
from agents.terminal.edit_options import with_signature
from agents.terminal.matured_charges import MaturedTopic
from agents.terminal.options import with_settings
from agents.terminal.policy_topics import PolicyTopics, signature
from agents.terminal.rule_files import parsed, read_rules, read_text
from schemas.changes import Change
from schemas.edits import EVERYONE
from schemas.printable import printable
from schemas.rules import MerchantRules
from streams.errors import OperationalError

_with_settings = with_settings("bootstrap_servers", "topic_prefix")
_merchant = click.option(
    "--merchant", default=EVERYONE, show_default=True, help="Whose rules; * for those of all"
)
_HEAD = re.compile(r"# Rules of (?P<merchant>.+), version (?P<version>\d+)(?:,|$)")


@click.group("rules", epilog="Example: chargewatch rules put rules.txt --note 'gift cards'")
def command() -> None:
    """Write rules that decide beside the model.

    A rule is a line, such as `block if :card_country: != :ip_country: and :amount_usd: > 200`.
    Workers use a new set between two batches, within a second. `shadow` before a rule has it tell
    what it matches, and decide nothing.
    """


@command.command(epilog="Example: chargewatch rules check rules.txt")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def check(file: Path) -> None:
    """Read rules and say what is wrong with them; nothing is changed."""
    try:
        rules = read_rules(file)
    except OperationalError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{file}: {_counted(rules)}, no mistakes")


@command.command(epilog="Example: chargewatch rules put rules.txt --note 'gift cards'")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_merchant
@with_signature
@_with_settings
def put(
    settings: Settings, *, file: Path, merchant: str, made_from: int | None, by: str, note: str
) -> None:
    """Put the rules of a file in force, in place of all that the merchant had before.

    A file that `rules show` wrote names the version it was made from: if another is in force by
    now, nothing is changed.
    """
    text = read_text(file)
    rules = parsed(file, text)
    head = _HEAD.match(text)
    if head:
        if head["merchant"] != merchant:
            raise StaleEditError(
                f"{file}: has the rules of {head['merchant']}, and not of {merchant}; "
                f"--merchant '{head['merchant']}' puts them there"
            )
        made_from = int(head["version"]) if made_from is None else made_from
        text = text.partition("\n")[2].lstrip("\n")
    topics = PolicyTopics(settings)
    made = topics.edit_rules(
        lambda book: put_rules(book.records, merchant, text, signature(by, note), made_from)
    )
    click.echo(f"Rules of {merchant}: version {made.version}, {_counted(rules)}")
    if rules.lists:
        for warning in without_entries(rules, topics.lists().sizes):
            click.echo(f"{file}: {warning}", err=True)


@command.command(epilog="Example: chargewatch rules show > rules.txt")
@_merchant
@click.option("--version", type=click.IntRange(min=1), help="An earlier version")
@click.option(
    "--days",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    help="Days of charges to tell of, the latest whose label horizon has passed",
)
@_with_settings
def show(settings: Settings, merchant: str, version: int | None, days: int) -> None:
    """Show the rules in force, as `rules put` takes them again, and what became of their charges.

    Precision is that of the charges a rule matched, also in shadow: from those that went through,
    and from the holdout, which stands for the rest.
    """
    topics = PolicyTopics(settings)
    if version is None:
        records = topics.rules().records
        record = records.get(merchant)
        if record is None:
            others = ", ".join(sorted(records)) or "nobody"
            click.echo(f"{merchant} has no rules yet; {others} has. `chargewatch rules put` adds")
            return
    else:
        record = _version(topics, merchant, version)
    click.echo(f"{_head(record)}\n")
    click.echo(printable_text(record.text))
    for line in _figures(topics, record, days):
        click.echo(printable(f"# {line}"))


@command.command(epilog="Example: chargewatch rules log --merchant '*'")
@_merchant
@_with_settings
def log(settings: Settings, merchant: str) -> None:
    """Show who changed the rules, when, and what, the newest first."""
    changes = PolicyTopics(settings).changes("rules", merchant)
    texts = {change.version: _record(change).text for change in changes}
    if not changes:
        click.echo(f"{merchant} has had no rules yet")
    for change in reversed(changes):
        click.echo(_head(_record(change)).removeprefix("# "))
        for line in _differences(texts.get(change.made_from, ""), texts[change.version]):
            click.echo(printable(f"  {line}"))


@command.command(epilog="Example: chargewatch rules rollback --to 3")
@_merchant
@click.option("--to", type=click.IntRange(min=1), help="Version  [default: the one before]")
@with_signature
@_with_settings
def rollback(
    settings: Settings,
    *,
    merchant: str,
    to: int | None,
    made_from: int | None,
    by: str,
    note: str,
) -> None:
    """Put an earlier version in force again, as a new version; a second time undoes the first."""
    topics = PolicyTopics(settings)
    found = topics.rules().records.get(merchant)
    if found is None:
        raise UnknownVersionError(f"{merchant} has no rules, hence nothing to go back to")
    earlier = _version(topics, merchant, to or found.made_from)
    note = note or f"back to version {earlier.version}"
    made = topics.edit_rules(
        lambda book: put_rules(
            book.records, merchant, earlier.text, signature(by, note), made_from or found.version
        )
    )
    click.echo(f"Rules of {merchant}: version {made.version}, as version {earlier.version} was")


def _figures(topics: PolicyTopics, record: MerchantRules, days: int) -> Iterator[str]:
    """Yield what became of the charges that rules matched, as far as there are any."""
    matured = MaturedTopic(topics.clients, topics.names, days)
    rows = matured.matched()
    matured.close()
    if len(rows):
        rules = [ActiveRule.of(rule, record.merchant) for rule in parse(record.text).rules]
        yield f"Of charges of the latest {days} days whose label horizon has passed:"
        yield from rule_lines(rows, rules)


command.add_command(backtest)


def printable_text(text: str) -> str:
    """Return a text as it can be shown, line by line."""
    return "\n".join(printable(line) for line in text.splitlines())


def _counted(rules: RuleSet) -> str:
    shadow = sum(rule.is_shadow for rule in rules.rules)
    count = "1 rule" if len(rules.rules) == 1 else f"{len(rules.rules)} rules"
    return f"{count}, {shadow} of them in shadow" if shadow else count


def _head(record: MerchantRules) -> str:
    """Return a comment that says which version a text is."""
    at = datetime.fromtimestamp(record.at, UTC)
    by = f" by {record.by}" if record.by else ""
    note = f": {record.note}" if record.note else ""
    said = f"# Rules of {record.merchant}, version {record.version},{by} at {at:%Y-%m-%d %H:%M} UTC"
    return printable(f"{said}{note}")


def _version(topics: PolicyTopics, merchant: str, version: int) -> MerchantRules:
    if version == 0:  # before the first there were none
        return MerchantRules(merchant, 1, "")
    for change in topics.changes("rules", merchant):
        if change.version == version:
            return _record(change)
    raise UnknownVersionError(
        f"{merchant} has no version {version} of its rules; `chargewatch rules log` tells which"
    )


def _record(change: Change) -> MerchantRules:
    return MerchantRules(**(change.record or {}))


def _differences(before: str, after: str) -> Sequence[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]
