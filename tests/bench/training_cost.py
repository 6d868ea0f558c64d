"""What training boosted trees costs the charges beside it: latency in turns, with and without.

The worker scores as always; what trains beside it does nothing else, training after training, and
stands back as the process of a worker does. So it is the most that training can cost: in production
it runs for some seconds a day of event time.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from agents.learning.training import stand_back
from agents.models.boosted.training import train
from deploy.local_kafka import LocalKafka
from streams.features.entities import FEATURES
from streams.kafka.config import client_config
from tests.bench.data import until
from tests.bench.installation import Installation, Outputs
from tests.bench.latency import OpenLoop
from tests.bench.machine import machine
from tests.bench.percentiles import quantile
from tests.bench.systems import OURS

if TYPE_CHECKING:
    from collections.abc import Iterator

_HISTORY, _HISTORY_TIMEOUT_S = 20_000, 300.0
_SETTLING_S = 4.0
_EXAMPLES = 250_000

say = partial(click.echo, err=True)


@click.command()
@click.option("--rate", default=500, show_default=True, help="Charges a second.")
@click.option("--seconds", default=30.0, show_default=True, help="Of each turn.")
@click.option("--rounds", default=3, show_default=True, help="Each a turn without and one with.")
def main(rate: int, seconds: float, rounds: int) -> None:
    """Measure latency beside a training that never ends, and without it, in turns."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and so end what was started
    charges = int(rate * (_SETTLING_S + seconds))
    say(str(machine()))
    data = until(time.time(), _HISTORY, 2 * rounds * charges)
    with LocalKafka() as kafka, tempfile.TemporaryDirectory(prefix="chargewatch-bench-") as name:
        config = client_config(kafka.bootstrap_servers, {}) | {"log_level": 0}
        with Installation(config, "bench-training.") as installation:
            installation.load(data.part(0, _HISTORY))
            outputs = Outputs(installation)
            with OURS.start(installation, Path(name)) as process:
                outputs.wait_for(_HISTORY, _HISTORY_TIMEOUT_S, process.check)
                outputs.close()
                for turn in range(2 * rounds):
                    part = data.part(_HISTORY + turn * charges, charges)
                    with training() if turn % 2 else nullcontext():
                        loop = OpenLoop(installation, part, rate)
                        settled = sorted(loop.run()[int(rate * _SETTLING_S) :])
                    beside = "with" if turn % 2 else "without"
                    median, p99 = quantile(settled, 0.5), quantile(settled, 0.99)
                    say(f"{beside}: p50 {median:.1f}, p99 {p99:.1f}, max {settled[-1]:.1f} ms")


@contextmanager
def training() -> Iterator[None]:
    """Train in another process until the block ends."""
    process = multiprocessing.get_context("spawn").Process(target=_train, daemon=True)
    process.start()
    time.sleep(_SETTLING_S)  # it imports, and makes its examples
    try:
        yield
    finally:
        process.kill()
        process.join()


def _train() -> None:
    stand_back()
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(_EXAMPLES, len(FEATURES))).astype(np.float32)
    labels = rows[:, 0] + rows[:, 1] * rows[:, 2] + rng.normal(size=_EXAMPLES) > 4.5
    while True:
        train(rows, labels, np.ones(_EXAMPLES))


if __name__ == "__main__":
    main()
