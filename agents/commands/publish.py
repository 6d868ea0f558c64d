"""`chargewatch publish`: publishes a file of charges or disputes to its topic."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

import click
import orjson

from agents.commands.connection import connect
from agents.commands.options import with_settings
from agents.commands.publishing import AT_A_TIME, publish_batches
from agents.settings import Settings
from streams.decoding import card_in
from streams.files import FileError, read_events
from streams.publisher import Event
from streams.topics import Topics

_LOOKED_AT = 1000
"""Events among which the first that tells what the file holds is looked for."""


@click.command("publish", epilog="Example: chargewatch publish charges.jsonl.gz")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--topic",
    type=click.Choice(["charges", "disputes"]),
    help="What the file holds  [default: told by its fields]",
)
@with_settings("bootstrap_servers", "topic_prefix")
def command(settings: Settings, file: Path, topic: str | None) -> None:
    """Publish a file of charges or disputes to its topic, keyed by card.

    FILE is JSON Lines (.jsonl, .jsonl.gz, .jsonl.zst) or Parquet. Every line is published as it is;
    one that is no valid event comes to `charges.rejected` with its reason.
    """
    events = read_events(file)
    first = list(islice(events, _LOOKED_AT))
    kind = topic or kind_of(first)
    if kind is None:
        raise FileError(f"{file}: holds no charge and no dispute at its start; name its --topic")
    topics = Topics(settings.topic_prefix)
    name = topics.charges if kind == "charges" else topics.disputes
    _, config = connect(settings, name)
    delivered = publish_batches(config, _batches(name, chain(first, events)))
    click.echo(f"{delivered:,} events to {name}")


def kind_of(events: Iterable[bytes]) -> str | None:
    """Tell charges from disputes by the first event that has the fields of either.

    >>> kind_of([b"nonsense", b'{"id":"d1","charge":"c1"}'])
    'disputes'
    >>> kind_of([b'{"id":"c1","amount":1999}'])
    'charges'
    """
    for event in events:
        try:
            fields = orjson.loads(event)
        except orjson.JSONDecodeError:
            continue
        if isinstance(fields, dict):
            if "amount" in fields:
                return "charges"
            if "charge" in fields:
                return "disputes"
    return None


def _batches(topic: str, events: Iterator[bytes]) -> Iterator[dict[str, list[Event]]]:
    while batch := [(card_in(event), event) for event in islice(events, AT_A_TIME)]:
        yield {topic: batch}
