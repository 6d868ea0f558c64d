"""`python -m tests.chaos.rolling`: brokers restarted one by one, and how long charges wait then.

A broker's end and its start are told apart: a start takes the CPU that workers would have.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from deploy.kafka_cluster import ADMINISTRATOR, KafkaCluster
from streams.kafka.topics import Topics
from tests.chaos.faults import SESSION_TIMEOUT_S
from tests.deploy.stream import Stream
from tests.integration.broker_classes import java_options
from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable

LATE_S: Final = 2.0
PREFIX: Final = "rolling."
_SETTLE_S: Final = 15.0
_BEFORE_S: Final = 3.0
_AFTER_S: Final = 6.0
_READY_S: Final = 180.0


@click.command()
@click.option("--workers", default=2, show_default=True)
@click.option("--rounds", default=2, show_default=True, help="How often each broker is restarted.")
@click.option(
    "--logs", type=click.Path(path_type=Path), help="Where the workers' logs are left.  [none]"
)
def main(workers: int, rounds: int, logs: Path | None) -> None:
    """Restart each of three brokers in order while ten charges a second come in."""
    os.environ.setdefault("JDK_JAVA_OPTIONS", java_options())
    with ExitStack() as entered:
        kafka = entered.enter_context(KafkaCluster())
        stream = entered.enter_context(Stream(kafka, Topics(PREFIX)))
        directory = logs or Path(entered.enter_context(tempfile.TemporaryDirectory()))
        env = kafka.add_user(ADMINISTRATOR) | {
            "CHARGEWATCH_TOPIC_PREFIX": PREFIX,
            "CHARGEWATCH_SESSION_TIMEOUT_MS": str(round(1e3 * SESSION_TIMEOUT_S)),
        }
        names = [f"worker-{number}" for number in range(workers)]
        processes = [
            entered.enter_context(
                WorkerProcess(directory / name, env | {"CHARGEWATCH_INSTANCE_ID": name})
            )
            for name in names
        ]
        for process in processes:
            process.wait_until_ready(_READY_S)
        time.sleep(_SETTLE_S)
        stream.await_scored()
        for _ in range(rounds):
            for node in kafka.nodes:
                place = kafka.nodes.index(node)
                kafka.wait_until_in_sync()
                watch(stream, f"broker {place + 1} ends", partial(node.end, signal.SIGTERM))
                watch(stream, f"broker {place + 1} starts", partial(kafka.restart_node, place))
        times = stream.times.values()
        click.echo(f"{len(times):,} charges, of which {sum(n != 1 for n in times)} not scored once")
        sys.exit(0 if set(times) == {1} else 1)


def watch(stream: Stream, what: str, do: Callable[[], None]) -> None:
    """Do something, and tell how long the charges waited that were sent at about that time."""
    began = time.monotonic()
    do()
    took_s = time.monotonic() - began
    time.sleep(_AFTER_S)
    stream.await_scored()
    waited = stream.waited_s(began - _BEFORE_S)
    late = sum(wait_s > LATE_S for wait_s in waited)
    click.echo(
        f"{what}: {took_s:.1f} s; no charge waited longer than {max(waited):.2f} s, {late} of "
        f"{len(waited)} longer than {LATE_S:.0f} (load {os.getloadavg()[0]:.0f})"
    )


if __name__ == "__main__":
    main()
