"""`python -m tests.chaos.soak`: whether a worker stays as it is, for as long as it runs.

Event time runs fast, so that charges are kept and forgotten many times over. After a warm-up, in
which every card is seen and the first charges expire, nothing may grow any more.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click
import matplotlib as mpl
from matplotlib import pyplot as plt

from deploy.local_kafka import LocalKafka
from streams.kafka.config import Admin, client_config
from streams.kafka.topics import Topics, ensure_topics
from tests.chaos.flow import Publishing
from tests.chaos.logs import Logs
from tests.chaos.traffic import Traffic
from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTITIONS = 6
SETTINGS = {
    "CHARGEWATCH_LABEL_HORIZON_DAYS": "1",
    "CHARGEWATCH_DISPUTE_RETENTION_DAYS": "2",
    "CHARGEWATCH_ORPHAN_WAIT_HOURS": "12",
}
"""Of 60 days in a run: a charge is kept for a thirtieth of it."""

SAMPLE_EVERY_S = 5.0
WARM_UP = 0.4
"""Share of the run."""

GROWTH = {"rss_mb": 1.1, "files": 1.1, "threads": 1.05, "state_mb": 1.25}
"""How much more the last quarter may have than the one after the warm-up, at the median.

Files and state move by whole tables of RocksDB, the state as these are compacted.
"""


@dataclass(frozen=True)
class Sample:
    """What a worker takes at a time (seconds since the start), and how far it is behind."""

    seconds: float
    rss_mb: float
    files: int
    threads: int
    state_mb: float
    lag: int


def take_sample(worker: WorkerProcess, seconds: float, lag: int) -> Sample:
    """Ask the system about a worker."""
    process = Path("/proc") / str(worker.process.pid)
    status = dict(
        line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line
    )
    return Sample(
        seconds=seconds,
        rss_mb=int(status["VmRSS"].split()[0]) / 1024,
        files=len(list((process / "fd").iterdir())),
        threads=int(status["Threads"]),
        state_mb=_size_bytes(worker.state_dir) / 1e6,
        lag=lag,
    )


def _size_bytes(directory: Path) -> int:
    total = 0
    for path in (*directory.rglob("*.sst"), *directory.rglob("*.log")):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # compacted away meanwhile
            continue
    return total


def growth(samples: Sequence[Sample]) -> dict[str, float]:
    """Return what the end has of the time after the warm-up, as a factor by what it is."""
    settled = [s for s in samples if s.seconds >= WARM_UP * samples[-1].seconds]
    quarter = max(1, len(settled) // 4)
    return {
        name: median(getattr(s, name) for s in settled[-quarter:])
        / max(median(getattr(s, name) for s in settled[:quarter]), 1e-9)
        for name in GROWTH
    }


def plot(samples: Sequence[Sample], path: Path, rate: float) -> None:
    """Plot everything over time."""
    mpl.use("agg")
    texts = {
        "rss_mb": "memory, MB",
        "files": "open files",
        "threads": "threads",
        "state_mb": "RocksDB, MB",
        "lag": "charges behind",
    }
    figure, axes = plt.subplots(len(texts), sharex=True, figsize=(8, 10), layout="constrained")
    minutes = [sample.seconds / 60 for sample in samples]
    for axis, (name, text) in zip(axes, texts.items(), strict=True):
        axis.plot(minutes, [getattr(sample, name) for sample in samples])
        axis.axvspan(0, WARM_UP * minutes[-1], color="0.92")
        axis.set_ylabel(text)
        axis.set_ylim(bottom=0)
    axes[0].set_title(f"One worker at {rate:,.0f} inputs a second (grey: warm-up)")
    axes[-1].set_xlabel("minutes")
    figure.savefig(path, dpi=100)
    plt.close(figure)


def soak(seconds: float, rate: float, directory: Path) -> list[Sample]:
    """Run a worker on a broker of its own, and sample what it takes."""
    samples = []
    with LocalKafka() as kafka:
        config = client_config(kafka.bootstrap_servers, {}) | {"log_level": 0}
        topics = Topics()
        ensure_topics(Admin(config), topics, PARTITIONS)
        logs = Logs(config, "chargewatch")
        env = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers} | SETTINGS
        with WorkerProcess(directory, env) as worker:
            worker.wait_until_ready()
            publishing = Publishing(config, topics, Traffic(1, int(seconds * rate)), rate)
            publishing.start()
            start = time.monotonic()
            while (elapsed := time.monotonic() - start) < seconds:
                lag = logs.lag(topics.charges, range(PARTITIONS))
                samples.append(take_sample(worker, elapsed, lag))
                time.sleep(SAMPLE_EVERY_S)
            publishing.stop()
            assert worker.process.poll() is None
            assert worker.stop() == 0
        logs.close()
    return samples


@click.command(epilog="Example: python -m tests.chaos.soak --minutes 30 --rate 1000 --out soak")
@click.option("--minutes", default=30.0, show_default=True)
@click.option("--rate", default=1000.0, show_default=True, help="Inputs a second.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("soak"), show_default=True)
def main(minutes: float, rate: float, out: Path) -> None:
    """Let a worker run, and see that it does not grow."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and so end what was started
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="chargewatch-soak-") as directory:
        samples = soak(minutes * 60, rate, Path(directory))
    names = [field.name for field in fields(Sample)]
    rows = [",".join(f"{value:g}" for value in astuple(sample)) for sample in samples]
    (out / "soak.csv").write_text("\n".join([",".join(names), *rows, ""]), encoding="utf-8")
    plot(samples, out / "soak.png", rate)
    grown = growth(samples)
    for name, factor in grown.items():
        verdict = "flat" if factor <= GROWTH[name] else "GROWS"
        click.echo(f"{name}: {verdict}, {factor:.3f} times what it was after the warm-up")
    sys.exit(any(factor > GROWTH[name] for name, factor in grown.items()))


if __name__ == "__main__":
    main()
