"""What is compared: how each contestant is started, and how much it is given to do."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.kafka_jars import find_java
from tests.bench.data import HORIZON_DAYS
from tests.bench.installation import PARTITIONS
from tests.bench.prepare import CONTESTANTS, quix_python, streams_jars
from tests.bench.process import Running

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.bench.installation import Installation

JVM_OPTIONS = ["-Xmx2g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]


@dataclass(frozen=True)
class System:
    """A contestant.

    Attributes
    ----------
    name
        In tables.
    command
        Returns what is run.
    warm_up, measured
        Charges: those before the measurement, and those of it.
    guarantee
        As in the settings of Chargewatch.
    env
        What it is told beside what all are.
    """

    name: str
    command: Callable[[], list[str]]
    warm_up: int
    measured: int
    guarantee: str = "at_least_once"
    env: Mapping[str, str] = field(default_factory=dict)

    def start(self, installation: Installation, directory: Path) -> Running:
        """Start it on its topics, with its state and log in a directory."""
        servers = str(installation.config["bootstrap.servers"])
        prefix = installation.topics.prefix
        env = {
            "BENCH_SERVERS": servers,
            "BENCH_PREFIX": prefix,
            "BENCH_PARTITIONS": str(PARTITIONS),
            "BENCH_GUARANTEE": self.guarantee,
            "BENCH_STATE": str(directory / "state"),
            "KAFKA_BOOTSTRAP_SERVERS": servers,
            "CHARGEWATCH_TOPIC_PREFIX": prefix,
            "CHARGEWATCH_PROCESSING_GUARANTEE": self.guarantee,
            "CHARGEWATCH_STATE_DIR": str(directory / "state"),
            "CHARGEWATCH_WEB_PORT": "0",
            "CHARGEWATCH_LABEL_HORIZON_DAYS": str(HORIZON_DAYS),
            "CHARGEWATCH_ACTIONS": "advisory",  # all disputes come
        }
        return Running(self.command(), {**env, **self.env}, directory / "log")


def worker() -> list[str]:
    """Return the command of our own worker."""
    return [sys.executable, "-m", "agents", "worker"]


def _ceiling() -> list[str]:
    return [sys.executable, "-m", "tests.bench.contestants.ceiling"]


def _faust() -> list[str]:
    return [sys.executable, "-m", "tests.bench.contestants.stock_faust", "worker", "-l", "warn"]


def _quix() -> list[str]:
    return [str(quix_python()), "-m", "tests.bench.contestants.quix"]


def _kafka_streams() -> list[str]:
    program = CONTESTANTS / "kafka_streams" / "TwoStages.java"
    return [find_java(), *JVM_OPTIONS, "-cp", f"{streams_jars()}/*", str(program)]


OURS = System("chargewatch", worker, 150_000, 300_000, "exactly_once")
CEILING = System("confluent-kafka alone", _ceiling, 50_000, 400_000)
FAUST = System("Faust, windowed tables", _faust, 1_000, 6_000, env={"BENCH_TABLES": "windowed"})
FAUST_ONE = System("Faust, one table a stage", _faust, 3_000, 20_000, env={"BENCH_TABLES": "one"})
QUIX = System("Quix Streams", _quix, 20_000, 100_000, "exactly_once")
KAFKA_STREAMS = System("Kafka Streams, no model", _kafka_streams, 150_000, 300_000, "exactly_once")

SYSTEMS = (
    CEILING,
    OURS,
    System("chargewatch", worker, 150_000, 300_000),
    KAFKA_STREAMS,
    QUIX,
    System("Quix Streams", _quix, 20_000, 100_000),
    FAUST_ONE,
    FAUST,
)
