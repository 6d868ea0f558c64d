"""`python -m tests.bench.entity_load`: what entities cost a worker on a real Kafka.

The same charges in four forms take turns: without device, address and e-mail; with all three; with
them while the worker knows of no entity; and with one address on three charges of ten. Each worker
first does all it can of a load that waits, then is sent charges at a fixed rate in an open loop.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

import click
import orjson

from deploy.local_kafka import LocalKafka
from streams.kafka.config import client_config
from tests.bench.data import until
from tests.bench.installation import Installation, Outputs
from tests.bench.latency import OpenLoop
from tests.bench.machine import machine
from tests.bench.percentiles import quantile
from tests.bench.systems import OURS
from tests.bench.throughput import TIMEOUT_S, at_full_load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.kafka.config import Config
    from tests.bench.data import Dataset, Event

NAMES: Final = ("device", "ip", "email")
HOT: Final = {"ip": "ip_hot"}
_OF_TEN, _HOT_OF_TEN = 10, 3

say = partial(click.echo, err=True)


class Plan(NamedTuple):
    """Charges before the measurement, those of the load, and those of the rate that settle it."""

    warm_up: int
    load: int
    rate: int
    settling_s: float
    seconds: float

    @property
    def at_rate(self) -> int:
        """How many charges the rate takes."""
        return int(self.rate * (self.settling_s + self.seconds))


LONG, SHORT = Plan(60_000, 100_000, 500, 4.0, 30.0), Plan(5_000, 10_000, 500, 1.0, 3.0)


class Form(NamedTuple):
    """A form of the charges, and the entities that the worker knows of."""

    name: str
    change: Callable[[int, dict[str, object]], None]
    entities: str


class Figures(NamedTuple):
    """What a worker did: at full load, and at the rate in milliseconds."""

    charges_per_s: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


def _without(_number: int, charge: dict[str, object]) -> None:
    for name in NAMES:
        charge.pop(name, None)


def _with_all(number: int, charge: dict[str, object]) -> None:
    """Give a charge those that it lacks, as one in person does."""
    for name in NAMES:
        charge.setdefault(name, f"{name}_{number % 5_000}")


def _hot(number: int, charge: dict[str, object]) -> None:
    _with_all(number, charge)
    if number % _OF_TEN < _HOT_OF_TEN:
        charge |= HOT


FORMS: Final = (
    Form("none", _without, ",".join(NAMES)),
    Form("three", _with_all, ",".join(NAMES)),
    Form("three, not known", _with_all, ","),
    Form("three, one address in 30%", _hot, ",".join(NAMES)),
)


def measure(config: Config, data: Dataset, form: Form, directory: Path, plan: Plan) -> Figures:
    """Run one worker on one form of the charges."""
    events = _changed(data.part(0, plan.warm_up + plan.load + plan.at_rate), form)
    places = [place for place, event in enumerate(events) if event.is_charge]
    loaded, at_rate = places[plan.warm_up], places[plan.warm_up + plan.load]
    system = replace(OURS, env={"CHARGEWATCH_ENTITIES": form.entities})
    with Installation(config, f"entities-{time.monotonic_ns()}.") as installation:
        outputs = Outputs(installation)
        installation.load(events[:loaded])
        with system.start(installation, directory) as process:
            try:
                outputs.wait_for(plan.warm_up, TIMEOUT_S, process.check)
                run = at_full_load(process, installation, outputs, events[loaded:at_rate])
            finally:
                outputs.close()
            loop = OpenLoop(installation, events[at_rate:], plan.rate)
            settled = sorted(loop.run()[int(plan.rate * plan.settling_s) :])
    p50_ms, p99_ms = (quantile(settled, share) for share in (0.5, 0.99))
    return Figures(run.charges_per_s, run.cpu_s_per_million, p50_ms, p99_ms)


def _changed(events: Sequence[Event], form: Form) -> list[Event]:
    changed, number = [], 0
    for event in events:
        if event.is_charge:
            charge = orjson.loads(event.value)
            form.change(number, charge)
            changed.append(event._replace(value=orjson.dumps(charge)))
            number += 1
        else:
            changed.append(event)
    return changed


@click.command()
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--short", is_flag=True, help="To see that it works; the figures mean little.")
def main(rounds: int, short: bool) -> None:
    """Measure throughput and latency by the entities that charges name."""
    plan = SHORT if short else LONG
    say(machine())
    data = until(time.time(), plan.warm_up + plan.load, plan.at_rate)
    found: dict[str, list[Figures]] = {form.name: [] for form in FORMS}
    with LocalKafka() as kafka, tempfile.TemporaryDirectory(prefix="chargewatch-bench-") as name:
        config = client_config(kafka.bootstrap_servers, {}) | {"log_level": 0}
        for number in range(rounds):
            for place, form in enumerate(FORMS):
                directory = Path(name) / f"{number}-{place}"
                figures = measure(config, data, form, directory, plan)
                say(f"round {number + 1}: {form.name}: {figures}")
                found[form.name].append(figures)
    for form_name, runs in found.items():
        medians = [median(part) for part in zip(*runs, strict=True)]
        click.echo(f"| {form_name} | " + " | ".join(f"{each:,.1f}" for each in medians) + " |")


if __name__ == "__main__":
    main()
