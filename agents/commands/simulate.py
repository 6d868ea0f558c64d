"""`chargewatch simulate`: makes charges and disputes, to Kafka or to files."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import takewhile
from pathlib import Path

import click

from agents.acting.acting import ACT, Acting
from agents.settings.schema import Settings
from agents.settings.sources import flag
from agents.terminal.connection import connect
from agents.terminal.options import with_settings
from agents.terminal.publishing import (
    by_topic,
    counting,
    following_scored,
    paced,
    publish_batches,
)
from agents.terminal.scored_values import ScoredValues
from agents.terminal.times import Time
from streams.durations import DAY_S
from streams.events.files import event_writer
from streams.kafka.publisher import Event
from streams.kafka.topics import Topics
from streams.simulator import SimulatedEvent, Simulation

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(
    "simulate",
    epilog="Example: chargewatch simulate --days 60 --speed-up 86400; to files: "
    "chargewatch simulate --charges charges.parquet --disputes disputes.parquet",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, other people")
@click.option("--days", type=float, default=30, show_default=True, help="Length in event time")
@click.option("--cards", type=int, default=10_000, show_default=True, help="Cards that pay")
@click.option("--merchants", type=int, default=1_000, show_default=True, help="Merchants paid")
@click.option("--charges-per-day", type=float, default=20_000, show_default=True, help="On average")
@click.option(
    "--start",
    type=Time(),
    help="When it begins: Unix seconds, or a date or time in UTC  [default: so that it ends now]",
)
@click.option(
    "--speed-up",
    type=click.FloatRange(min=0, min_open=True),
    help="How many times faster than the clock event time runs  [default: as fast as it goes]",
)
@click.option(
    ACT,
    is_flag=True,
    help="Follow the scored charges, and carry their actions out by the rates of the cost table: "
    "publish outcomes, and send no dispute of what was stopped",
)
@click.option("--charges", type=_FILE, help="File for the charges, in place of Kafka")
@click.option("--disputes", type=_FILE, help="File for the disputes, in place of Kafka")
@with_settings("bootstrap_servers", "topic_prefix")
def command(
    settings: Settings,
    *,
    seed: int,
    days: float,
    cards: int,
    merchants: int,
    charges_per_day: float,
    start: float | None,
    speed_up: float | None,
    act: bool,
    charges: Path | None,
    disputes: Path | None,
) -> None:
    """Make a believable stream of charges and disputes, the same for the same seed and start.

    Disputes follow their charges for weeks. Those that would come after the end, and after now, are
    left out.
    """
    if act and (charges or disputes):
        raise click.UsageError(
            f"{ACT}: nobody scores what is written to files; `chargewatch backtest --closed-loop` "
            "scores them and carries the actions out"
        )
    now = time.time()
    try:
        simulation = Simulation(
            seed=seed,
            cards=cards,
            merchants=merchants,
            start=now - days * DAY_S if start is None else start,
            days=days,
            charges_per_day=charges_per_day,
        )
    except ValueError as error:
        name, _, rule = str(error).partition(":")
        raise click.UsageError(f"{flag(name)}:{rule}") from None
    end = max(now, simulation.start + days * DAY_S)
    events = takewhile(lambda event: event.publish_time <= end, simulation.events())
    batches = paced(
        events,
        lambda _, event: (event.publish_time - simulation.start) / speed_up if speed_up else 0.0,
    )
    if charges and disputes:
        _write(batches, charges, disputes)
    elif charges or disputes:
        raise click.UsageError("--charges and --disputes go together")
    else:
        topics = Topics(settings.topic_prefix)
        _, config = connect(settings, topics.charges, topics.disputes)
        if act:
            _act(batches, settings, topics)
        else:
            publish_batches(config, (by_topic(batch, topics) for batch in batches))


def _act(batches: Iterator[list[SimulatedEvent]], settings: Settings, topics: Topics) -> None:
    _, config = connect(settings, topics.scored, topics.outcomes)
    counts: Counter[str] = Counter()

    def carried_out(acting: Acting) -> Iterator[dict[str, Sequence[Event]]]:
        for acted in acting.carry_out(batches):
            counts.update(
                stopped=len(acted.stopped), told=len(acted.outcomes), withheld=acted.withheld
            )
            yield by_topic(acted.events, topics) | {topics.outcomes: acted.outcomes}

    with following_scored(config, topics, ScoredValues(settings)) as read:
        publish_batches(config, carried_out(Acting(settings.costs, read)))
    click.echo(
        f"{counts['stopped']:,} charges were stopped, and {counts['withheld']:,} disputes of them "
        f"not sent; {counts['told']:,} outcomes to {topics.outcomes}"
    )


def _write(batches: Iterator[list[SimulatedEvent]], charges: Path, disputes: Path) -> None:
    with ExitStack() as files, counting("written") as show:
        names = Topics()
        writers = {
            names.charges: files.enter_context(event_writer(charges)),
            names.disputes: files.enter_context(event_writer(disputes)),
        }
        written = 0
        for batch in batches:
            for topic, events in by_topic(batch, names).items():
                writers[topic].write([value for _, value in events])
            written += len(batch)
            show(written)
