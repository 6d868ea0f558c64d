"""`python -m tests.quality.live`: the closed loop through a real worker; see `--help`.

What becomes of charges is known at the end of the step that they were made in at the earliest, and
the model changes while a step is scored only as fast as the worker learns. So a step is to a worker
about what the interval of the models is to `chargewatch backtest --closed-loop`, beside which this
can be put on the same files.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
import orjson
from msgspec.structs import replace

from agents.evaluation.formatting import dollars, number, percent
from agents.models.kinds import DEFAULT
from agents.settings.sources import load_settings
from agents.terminal.times import Time
from deploy.local_kafka import LocalKafka
from schemas.snapshot import decode_snapshot
from streams.durations import DAY_S, HOUR_S
from streams.events.files import read_events
from streams.kafka.config import Admin, client_config
from streams.kafka.topics import Topics, ensure_topics
from tests.integration.player import TIMEOUT_S, Player, follow, taken, worker_env
from tests.integration.worker import WorkerProcess
from tests.quality.findings import Table, machine
from tests.quality.live_loop import Answers, Loop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.settings.schema import Settings
    from streams.kafka.config import Config

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_SNAPSHOTS_S = 0.2
"""After how long a snapshot tells what was learned, however little: it is waited for."""

say = partial(click.echo, err=True)


class Learned:
    """Waits until a worker's learner has learned all examples."""

    def __init__(self, config: Config, topics: Topics) -> None:
        self._topics = topics
        self._examples = follow(config, [topics.examples])
        self._models = follow(config, [topics.models])
        self._last = -1
        self._reached = 0
        self.version = "prior"

    def wait(self) -> None:
        """Return when a snapshot of all examples by now is there."""
        deadline = time.monotonic() + TIMEOUT_S
        (place,) = self._examples.assignment()
        _, end = self._examples.get_watermark_offsets(place)
        while max(self._examples.position([place])[0].offset, 0) < end:
            for message in taken(self._examples, 10_000, 0.05):
                self._last = cast("int", message.offset())
            assert time.monotonic() < deadline, "the end of the examples is not reached"
        while self._reached <= self._last:
            for message in taken(self._models, 100, 0.05):
                if message.key() == DEFAULT.encode():
                    snapshot = decode_snapshot(message.value() or b"")
                    self._reached, self.version = snapshot.offset, snapshot.version
            assert time.monotonic() < deadline, "not all examples are learned"

    def close(self) -> None:
        self._examples.close()
        self._models.close()


def steps(charges: Path, step_s: float, days: float) -> Iterator[tuple[float, list[bytes]]]:
    """Yield the end of each step of a file of charges, and those that it has; some days of it."""
    timed = ((float(orjson.loads(line)["created"]), line) for line in read_events(charges))
    newest = end = 0.0
    for step, those in groupby(timed, key=lambda each: each[0] // step_s):
        part = list(those)
        end = end or (part[0][0] // DAY_S + days) * DAY_S
        if part[0][0] >= end:
            return
        created = [newest, *(each[0] for each in part)]
        if created != sorted(created):
            raise click.UsageError(f"{charges}: its charges are not in the order of their time")
        newest = created[-1]
        yield (step + 1.0) * step_s, [line for _, line in part]


def play(
    config: Config, topics: Topics, settings: Settings, loop: Loop, answers: Answers,
    parts: Iterator[tuple[float, list[bytes]]],
) -> None:  # fmt: skip
    """Play steps to a worker, each when all of the one before is learned."""
    began, charges, older = time.monotonic(), 0, 0
    learned = Learned(config, topics)
    group = f"{topics.prefix}{settings.application_id}"
    with Player(config, topics, group) as player:
        for count, (ends_at, part) in enumerate(parts, 1):
            version, labels = learned.version, loop.due(ends_at)
            scored = player.play(part, *labels)
            events: list[dict[str, Any]] = [orjson.loads(event) for event in scored]
            loop.carry_out(events, ends_at)
            answers.add(events)
            learned.wait()
            charges += len(part)
            older += sum(_examples_of(event["model"]) < _examples_of(version) for event in events)
            if ends_at % DAY_S == 0.0:
                say(f"{charges:,} charges, {count} steps, {time.monotonic() - began:,.0f} s")
    learned.close()
    say(f"scored by an older model than the newest before their step: {older:,} charges")


def _examples_of(version: str) -> int:
    """Return how many examples a model has learned, as its version says."""
    learned = version.rpartition("-")[2]
    return int(learned) if learned.isdigit() else 0


@click.command(
    epilog="Example: CHARGEWATCH_LABEL_HORIZON_DAYS=7 python -m tests.quality.live "
    "charges.parquet disputes.parquet --from 2018-05-15"
)
@click.argument("charges", type=_FILE)
@click.argument("disputes", type=_FILE)
@click.option("--days", type=click.FloatRange(min=0), default=1e6, help="Of the file; else all.")
@click.option("--step-hours", type=click.FloatRange(min=0.01), default=24.0, show_default=True)
@click.option("--from", "start", type=Time(), default=0.0, help="First time that counts.")
def main(charges: Path, disputes: Path, days: float, step_hours: float, start: float) -> None:
    """Play a file step by step through a worker on a Kafka of its own, the actions carried out.

    Settings are taken from the environment. The charges have to be in the order of their time.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and so end what was started
    settings = load_settings({}, os.environ)
    settings = replace(settings, actions="enforced", snapshot_every_s=_SNAPSHOTS_S)
    loop = Loop(read_events(disputes), settings.costs)
    answers = Answers(loop.frauds, settings.input_rules.rates)
    topics = Topics()
    with LocalKafka() as kafka, tempfile.TemporaryDirectory(prefix="chargewatch-live-") as name:
        config = client_config(kafka.bootstrap_servers, {}) | {"log_level": 0}
        ensure_topics(Admin(config), topics, 1)
        env = worker_env(replace(settings, bootstrap_servers=kafka.bootstrap_servers))
        with WorkerProcess(Path(name), env) as worker:
            worker.wait_until_ready()
            parts = steps(charges, step_hours * HOUR_S, days)
            play(config, topics, settings, loop, answers, parts)
            assert worker.stop() == 0
    click.echo(machine())
    click.echo(table(answers, start, settings).markdown())


def table(answers: Answers, start: float, settings: Settings) -> Table:
    """Return the figures, by 30 days and of all."""
    columns = (
        "from", "charges", "frauds", "average precision", "calibration error, points",
        "frauds stopped", "precision of blocks", "holdout", "frauds in it", "its cost",
    )  # fmt: skip
    rows = []
    for name, side in answers.figures(start, settings.costs):
        held = side["holdout"]
        rows.append(
            (
                name,
                f"{side['charges']:,}",
                f"{side['frauds']:,}",
                number(side["average_precision"]),
                number(100 * side["calibration_error"]),
                percent(side["stopped"]),
                percent(side["actions"]["block"]["precision"]),
                f"{held['charges']:,}",
                f"{held['frauds']:,}",
                dollars(held["cost"]),
            )
        )
    return Table("The closed loop through a worker", columns, rows)


if __name__ == "__main__":
    main()
