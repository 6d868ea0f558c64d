"""`chargewatch topics`: creates the topics, or checks those that are there."""

import click

from agents.growing.procedure import Growing
from agents.settings.schema import Settings
from agents.terminal.connection import connect
from agents.terminal.options import with_settings
from streams.kafka.installation import Installation
from streams.kafka.topics import CLUSTER_DEFAULT, DEFAULT_PARTITIONS, Topics, ensure_topics


@click.command(
    "topics",
    epilog="Example: chargewatch topics --bootstrap-servers localhost:9092 --partitions 12",
)
@click.option(
    "--partitions",
    type=click.IntRange(min=1),
    help="Partitions of each topic, the most workers that can share the work  "
    f"[default: as those there, else {DEFAULT_PARTITIONS}]",
)
@click.option(
    "--replication",
    type=click.IntRange(min=1),
    help="Replicas of each partition  [default: the cluster's]",
)
@click.option(
    "--grow",
    "more",
    type=click.IntRange(min=2),
    help="Have so many partitions, and move the state to them; all workers have to be stopped. "
    "Typed again, it goes on where it was stopped",
)
@with_settings("bootstrap_servers", "topic_prefix", "application_id", "state_dir")
def command(
    settings: Settings, partitions: int | None, replication: int | None, more: int | None
) -> None:
    """Create the topics that are missing and check the others; safe to repeat.

    With --grow, have more partitions under a state that is there.
    """
    admin, config = connect(settings)
    topics = Topics(settings.topic_prefix)
    if more is not None:
        if partitions is not None or replication is not None:
            raise click.UsageError("--grow goes with neither --partitions nor --replication")
        Growing(settings, admin, config, topics, click.echo).to(more)
        return
    reports = ensure_topics(
        admin,
        topics,
        partitions,
        replication or CLUSTER_DEFAULT,
        label_horizon_days=settings.label_horizon_days,
    )
    Installation(config, topics).hold_partitions(reports[0].partitions, begins=False)
    width = max(len(report.name) for report in reports)
    for report in reports:
        state = "created" if report.created else "ok"
        click.echo(f"{report.name:{width}}  {report.partitions:4} partitions  {state}")
        if report.warning:
            click.echo(f"Warning: topic {report.name}: {report.warning}", err=True)
