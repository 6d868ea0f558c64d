"""What the local Kafka is run with: a Java, and jars that Maven copies once into a cache."""

import fcntl
import hashlib
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree  # the only document read is our own pom.xml

POM = Path(__file__).with_name("kafka") / "pom.xml"
JAVA_VERSION_MIN = 17
MAVEN_TIMEOUT_S = 600
INSTEAD = "or set KAFKA_BOOTSTRAP_SERVERS to use a Kafka that is already running"

logger = logging.getLogger(__name__)


class LocalKafkaError(RuntimeError):
    """The local Kafka cannot run; the message says what to do about it."""


def find_java() -> str:
    """Return the path of a Java that can run the broker: JAVA_HOME's, else the one on PATH.

    Raises
    ------
    LocalKafkaError
        If there is none, or it is older than the broker needs.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(f"{home}/bin/java" if home else "java")
    if java is None:
        where = f"in JAVA_HOME ({home})" if home else "on PATH"
        raise LocalKafkaError(
            f"no Java {where}: install Java {JAVA_VERSION_MIN} or newer, {INSTEAD}"
        )
    shown = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    version = java_version(shown.stderr)
    if version is None or version < JAVA_VERSION_MIN:
        raise LocalKafkaError(
            f"{java} is no Java {JAVA_VERSION_MIN} or newer: install one, {INSTEAD}"
        )
    return java


def java_version(shown: str) -> int | None:
    """Read the feature version out of what `java -version` prints, None if it is not there.

    >>> java_version('openjdk version "17.0.15" 2025-04-15')
    17
    >>> java_version('java version "1.8.0_392"')  # the numbering before Java 9
    8
    >>> java_version("No Java runtime present, requesting install.")
    """
    match = re.search(r'version "(?:1\.)?(\d+)', shown)
    return int(match[1]) if match else None


def kafka_version() -> str:
    """Return the version of the broker, which is the version of the pom."""
    version = ElementTree.parse(POM).findtext("{*}version")  # noqa: S314
    assert version is not None
    return version


def kafka_jars() -> Path:
    """Return the directory of the broker's jars, copying them there first if need be.

    A directory is complete as soon as it exists: Maven fills one beside it, which is then renamed.
    A second process waits for the first.

    Raises
    ------
    LocalKafkaError
        If Maven is missing or fails.
    """
    # A changed pom is another directory, even where Kafka's own version stays.
    digest = hashlib.sha256(POM.read_bytes()).hexdigest()[:8]
    cache = _cache()
    jars = cache / f"kafka-{kafka_version()}-{digest}"
    if not jars.is_dir():
        with _locked(cache / f"{jars.name}.lock"):
            if not jars.is_dir():
                partial = cache / f"{jars.name}.partial"
                shutil.rmtree(partial, ignore_errors=True)  # of a copy that was killed
                _copy_jars(partial)
                partial.rename(jars)
    return jars


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    cache = (Path(base) if base else Path.home() / ".cache") / "chargewatch"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file; the system frees it however the process ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _copy_jars(directory: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise LocalKafkaError(f"no Maven (mvn) on PATH: install it, {INSTEAD}")
    logger.info("copying the jars of Apache Kafka %s with Maven, once", kafka_version())
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={directory}"]
    try:
        run = subprocess.run(
            [maven, "--batch-mode", "--quiet", "--file", str(POM), *goal],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=MAVEN_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LocalKafkaError(
            f"Maven took over {MAVEN_TIMEOUT_S} s: try again, {INSTEAD}"
        ) from None
    if run.returncode != 0:
        raise LocalKafkaError(
            f"Maven could not get Kafka's jars: mend that, {INSTEAD}\n{run.stdout.strip()}"
        )
