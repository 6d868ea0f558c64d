"""`chargewatch publish`: publishes a file of charges or disputes to its topic."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click

from agents.settings.schema import Settings
from agents.terminal.connection import connect
from agents.terminal.event_files import ALLOW, Kind, Survey, kind_of, survey
from agents.terminal.options import with_settings
from agents.terminal.publishing import AT_A_TIME, counting, publish_batches
from streams.events.decoding import card_in
from streams.events.files import FileError, read_events
from streams.kafka.publisher import Event
from streams.kafka.topics import Topics

_KIND = click.Choice(["charges", "disputes"])


@click.command(
    "publish",
    epilog="Example: chargewatch publish charges.jsonl.gz; of one that is not told by its fields: "
    "chargewatch publish export.json --as disputes",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--as",
    "kind",
    type=_KIND,
    help="What the file holds  [default: told by its fields; a dispute is about a `charge` and has "
    "a `reason` or `fraud_type`]",
)
@click.option("--topic", type=_KIND, hidden=True, help="As --as")
@click.option(
    ALLOW, is_flag=True, help="Publish it even if less than half of its events can be used"
)
@with_settings("bootstrap_servers", "topic_prefix")
def command(
    settings: Settings, *, file: Path, kind: Kind | None, topic: Kind | None, allow_rejected: bool
) -> None:
    """Publish a file of charges or disputes to its topic, keyed by card.

    FILE is JSON (.jsonl, .ndjson, .json, each also with .gz or .zst) or Parquet. JSON is an event a
    line, an array of events, or an event over several lines.

    All events are looked at before the first is sent. A file that holds both kinds is refused, and
    so is one of which less than half can be used. Every event is published as it is; one that is
    not valid comes to `charges.rejected` with its reason.
    """
    told = kind or topic
    taken = told or kind_of(file)
    with counting("checked") as show:
        found = survey(file, taken, settings, show=show)
    if told is None:
        _check_all_of_a_kind(file, found)
    objection = found.rejections.objection(str(file), found.events)
    if not found.events:
        objection = f"{file}: holds no events"
    if objection and not allow_rejected:
        raise FileError(f"{objection}. Nothing was sent; {ALLOW} sends it as it is")
    topics = Topics(settings.topic_prefix)
    name = topics.charges if found.kind == "charges" else topics.disputes
    _, config = connect(settings, name)
    delivered = publish_batches(config, _batches(name, read_events(file)))
    click.echo(f"{delivered:,} events to {name}")
    if rejected := found.rejections.counts.total():
        click.echo(
            f"{rejected:,} of them are not valid and come to {topics.rejected}: "
            f"{found.rejections.summary(str(file))}"
        )


def _check_all_of_a_kind(file: Path, found: Survey) -> None:
    if not found.others:
        return
    of_kind, of_other = ("charge", "dispute")[:: 1 if found.kind == "charges" else -1]
    raise FileError(
        f"{file}: holds {of_kind}s, but event {found.first_other:,} is a {of_other}, as are "
        f"{found.others:,} of {found.events:,}: put charges and disputes in files of their own, or "
        f"say with --as {found.kind} that all are {of_kind}s. Nothing was sent"
    )


def _batches(topic: str, events: Iterator[bytes]) -> Iterator[dict[str, list[Event]]]:
    while batch := [(card_in(event), event) for event in islice(events, AT_A_TIME)]:
        yield {topic: batch}
