"""`python -m tests.bench`: how fast it is, on this machine, in one run; see `--help`."""

from __future__ import annotations

import logging
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from deploy.local_kafka import LocalKafka
from streams.kafka.config import client_config
from tests.bench.intervals import intervals
from tests.bench.latency import latency
from tests.bench.machine import machine
from tests.bench.profiling import profile
from tests.bench.report import WIDTH, Results
from tests.bench.restore import restore
from tests.bench.scaling import scaling
from tests.bench.throughput import throughput

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTS = ("throughput", "latency", "intervals", "restore", "scaling")
"""What is measured when nothing is named; "profile" needs py-spy, which is no dependency."""

say = partial(click.echo, err=True)


@click.command(epilog="Example: python -m tests.bench throughput --rounds 5 --out build/bench")
@click.argument("parts", nargs=-1, type=click.Choice((*PARTS, "profile")))
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1))
@click.option("--short", is_flag=True, help="To see that it works; the figures mean little.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("build/bench"), show_default=True
)
def main(parts: Sequence[str], rounds: int, short: bool, out: Path) -> None:
    """Measure throughput, latency, commit intervals, restore and start, and scaling."""
    logging.basicConfig(level="INFO", format="%(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and so end what was started
    out.mkdir(parents=True, exist_ok=True)
    results = Results(machine())
    with LocalKafka() as kafka, tempfile.TemporaryDirectory(prefix="chargewatch-bench-") as name:
        # What the clients have to wait for at the start of a broker is no news.
        config = client_config(kafka.bootstrap_servers, {}) | {"log_level": 0}
        for part in parts or PARTS:
            directory = Path(name) / part
            if part == "throughput":
                results.throughput = throughput(config, rounds, directory, say, is_short=short)
            elif part == "latency":
                results.latency = latency(config, directory, say, is_short=short)
            elif part == "intervals":
                results.intervals = intervals(config, directory, say, is_short=short)
            elif part == "restore":
                results.restore = restore(config, directory, say, is_short=short)
            elif part == "profile":
                results.profile = profile(config, directory, say, is_short=short)
            else:
                results.scaling = scaling(config, directory, say, is_short=short)
            results.write(out)  # what there is, should a later part fail
    results.show(Console(width=WIDTH))


if __name__ == "__main__":
    main()
