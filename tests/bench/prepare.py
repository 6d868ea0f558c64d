"""What the contestants need beside our own environment, prepared once in a cache."""

from __future__ import annotations

import hashlib
import logging
import shutil
import subprocess
import sys
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CONTESTANTS = Path(__file__).with_name("contestants")
QUIX_REQUIREMENTS = CONTESTANTS / "quix-requirements.txt"
STREAMS_POM = CONTESTANTS / "kafka_streams" / "pom.xml"

_TIMEOUT_S = 900.0

logger = logging.getLogger(__name__)


def quix_python() -> Path:
    """Return a Python that has Quix Streams, whose pins do not go together with ours."""
    return _prepared("bench-quix", QUIX_REQUIREMENTS, _install_quix) / "bin" / "python"


def streams_jars() -> Path:
    """Return the directory of the jars of Kafka Streams."""
    return _prepared("bench-kafka-streams", STREAMS_POM, _copy_jars)


def _prepared(name: str, pins: Path, prepare: Callable[[Path], None]) -> Path:
    """Return a directory of the cache that stands for the pins, made anew when they change."""
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()[:8]
    cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chargewatch"
    directory = cache / f"{name}-{digest}"
    is_done = cache / f"{name}-{digest}.done"
    if not is_done.exists():
        logger.info("preparing %s, once", directory.name)
        shutil.rmtree(directory, ignore_errors=True)  # of a preparation that was cut short
        directory.mkdir(parents=True)
        prepare(directory)
        is_done.touch()
    return directory


def _install_quix(directory: Path) -> None:
    _run(sys.executable, "-m", "venv", str(directory))
    pip = [str(directory / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    _run(*pip, "install", "--require-hashes", "--requirement", str(QUIX_REQUIREMENTS))


def _copy_jars(directory: Path) -> None:
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={directory}"]
    _run("mvn", "--batch-mode", "--quiet", "--file", str(STREAMS_POM), *goal)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=_TIMEOUT_S)
