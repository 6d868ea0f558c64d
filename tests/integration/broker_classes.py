"""The classes of the broker, loaded once for all brokers of the tests.

A broker takes about a third of the CPU of its start for loading and verifying classes. Java maps
them from an archive where there is one, and leaves one aside that does not fit.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from deploy import broker
from deploy.local_kafka import LocalKafka

ARCHIVE: Final = Path(__file__).parents[2] / "build" / "broker.jsa"

QUICK: Final = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""A broker of the tests lives for a minute or so, and has little in its memory: too short for what
a JVM would optimise in it, too little for threads that collect garbage beside it."""


def java_options() -> str:
    """Return what brokers of the tests are run with: `JDK_JAVA_OPTIONS`."""
    return f'{QUICK} "-XX:SharedArchiveFile={ARCHIVE}"' if ARCHIVE.exists() else QUICK


def archive_classes() -> None:
    """Run a broker, and have it write down the classes it has loaded when it ends."""
    partial = ARCHIVE.with_suffix(".partial")
    partial.parent.mkdir(exist_ok=True)
    os.environ["JDK_JAVA_OPTIONS"] = f'{QUICK} "-XX:ArchiveClassesAtExit={partial}"'
    broker.STOP_TIMEOUT_S = 120  # it writes at its end
    with LocalKafka():
        pass
    partial.replace(ARCHIVE)


if __name__ == "__main__":
    archive_classes()
