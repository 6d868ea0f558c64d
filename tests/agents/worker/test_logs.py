"""The level of the log, switched while a process runs."""

from __future__ import annotations

import re
import subprocess
import sys

SCRIPT = """
import logging, os, signal, sys
from agents.worker.logs import setup_logging
setup_logging(sys.argv[1])
for number in range(3):
    logging.getLogger("agents").debug("detail %d of 4242424242424242", number)
    logging.getLogger("agents").info("news %d", number)
    logging.getLogger("kafka").debug("of the client %d", number)
    os.kill(os.getpid(), signal.SIGUSR2)
"""


def test_a_signal_switches_to_everything_and_back() -> None:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, "warning"], capture_output=True, text=True, check=True
    )
    lines = [re.sub(r"^\S+ \S+ ", "", line) for line in run.stderr.splitlines()]
    assert lines == [
        "CRITICAL agents.worker.logs: log level: debug, until the next SIGUSR2",
        "DEBUG agents: detail 1 of ****************",
        "INFO agents: news 1",
        "DEBUG kafka: of the client 1",
        "CRITICAL agents.worker.logs: log level: warning, until the next SIGUSR2",
        "CRITICAL agents.worker.logs: log level: debug, until the next SIGUSR2",
    ]


FAILED = """
import logging, sys
from agents.worker.logs import setup_logging
setup_logging(sys.argv[1])
logging.getLogger("kafka").error("FAIL [consumer-1]: kafka:9092: Connection refused")
logging.getLogger("kafka").error("SESSTMOUT [consumer-1]: session timed out")
"""


def test_failed_connections_are_left_to_who_tells_of_them_now_and_then() -> None:
    def said(level: str) -> int:
        command = [sys.executable, "-c", FAILED, level]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        return len(run.stderr.splitlines())

    assert said("warning") == 1
    assert said("debug") == 2
