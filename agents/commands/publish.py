"""`chargewatch publish`: publishes a file of charges, disputes or outcomes to its topic."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import click

from agents.settings.schema import Settings
from agents.terminal.connection import connect
from agents.terminal.event_files import ALLOW, KINDS, Kind, Survey, kind_of, survey
from agents.terminal.mapped_files import published_sources, tell_notes, with_map
from agents.terminal.options import with_settings
from agents.terminal.publishing import AT_A_TIME, counting, publish_batches
from streams.events.decoding import card_in
from streams.events.files import FileError
from streams.events.sources import PlainFile, Source
from streams.kafka.publisher import Event
from streams.kafka.topics import Topics
from streams.mapping.ready_mappings import find_mapping

_KIND = click.Choice(KINDS)


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
    "a `reason` or `fraud_type`, an outcome an `outcome`]",
)
@click.option("--topic", type=_KIND, hidden=True, help="As --as")
@with_map
@click.option(
    "--charges",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --map, for disputes and outcomes that do not say their card: the file of charges",
)
@click.option(
    ALLOW, is_flag=True, help="Publish it even if less than half of its events can be used"
)
@with_settings("bootstrap_servers", "topic_prefix")
def command(
    settings: Settings,
    *,
    file: Path,
    kind: Kind | None,
    topic: Kind | None,
    mapping: str | None,
    charges: Path | None,
    allow_rejected: bool,
) -> None:
    """Publish a file of charges, disputes or outcomes to its topic, keyed by card.

    FILE is JSON (.jsonl, .ndjson, .json), CSV (each also with .gz or .zst) or Parquet. JSON is an
    event a line, an array of events, or an event over several lines. With --map its columns may be
    anything, and it may hold charges, disputes and outcomes.

    All events are looked at before the first is sent. A file that holds two kinds is refused, and
    so is one of which less than half can be used. Every event is published as it is; one that is
    not valid comes to `charges.rejected` with its reason.
    """
    told = kind or topic
    sources: Sequence[tuple[Kind, Source]]
    if mapping is None:
        sources = [(told or kind_of(file), PlainFile(file))]
    else:
        sources = published_sources(file, find_mapping(mapping), told, charges, settings)
    found = [_survey(source, each, settings) for each, source in sources]
    tell_notes([source for _, source in sources], set())
    for survey_, (_, source) in zip(found, sources, strict=True):
        if told is None and mapping is None:
            _check_all_of_a_kind(file, survey_)
        objection = survey_.rejections.objection(source.name, survey_.events)
        if not any(each.events for each in found):
            objection = f"{file}: holds no events"
        if objection and not allow_rejected:
            raise FileError(f"{objection}. Nothing was sent; {ALLOW} sends it as it is")
    for survey_, (_, source) in zip(found, sources, strict=True):
        _publish(source, survey_, settings)


def _survey(source: Source, kind: Kind, settings: Settings) -> Survey:
    with counting("checked") as show:
        return survey(source, kind, settings, show=show)


def _publish(source: Source, found: Survey, settings: Settings) -> None:
    """Publish the events of a source, and tell what comes of it."""
    topics = Topics(settings.topic_prefix)
    name = {
        "charges": topics.charges,
        "disputes": topics.disputes,
        "outcomes": topics.outcomes,
    }[found.kind]
    _, config = connect(settings, name)
    delivered = publish_batches(config, _batches(name, source.events()))
    click.echo(f"{delivered:,} events to {name}")
    if rejected := found.rejections.counts.total():
        click.echo(
            f"{rejected:,} of them are not valid and come to {topics.rejected}: "
            f"{found.rejections.summary(source.name)}"
        )


def _check_all_of_a_kind(file: Path, found: Survey) -> None:
    if found.other_kind is None:
        return
    other = found.other_kind.removesuffix("s")
    raise FileError(
        f"{file}: holds {found.kind}, but event {found.first_other:,} is "
        f"{'an' if other[0] in 'aeiou' else 'a'} {other}, and {found.others:,} of "
        f"{found.events:,} are no {found.kind}: put charges, disputes and outcomes in files of "
        f"their own, or say with --as {found.kind} that all are {found.kind}. Nothing was sent"
    )


def _batches(topic: str, events: Iterator[bytes]) -> Iterator[dict[str, list[Event]]]:
    while batch := [(card_in(event), event) for event in islice(events, AT_A_TIME)]:
        yield {topic: batch}
