"""A worker, a replica of the API, or a console, as an operator runs it: a process."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

READY_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 20.0


_WARM_UPS = {
    "agents/worker/warm_up.py": "agents.worker.warm_up as r, agents.settings.schema as s",
    "agents/rehearsal.py": "agents.rehearsal as r, agents.settings as s",
}
"""What a version warms up with, by the file that it is in."""


@cache
def compile_kernels(source: Path | None = None) -> None:
    """Do once what the first worker of a checkout would have to, so that nothing waits for it."""
    root = source or Path()
    modules = next(modules for file, modules in _WARM_UPS.items() if (root / file).exists())
    script = f"import {modules}; r.rehearse(s.Settings())"
    subprocess.run([sys.executable, "-c", script], cwd=source, check=True)


_PORTS = {
    "worker": "CHARGEWATCH_WEB_PORT",
    "serve": "CHARGEWATCH_API_PORT",
    "console": "CHARGEWATCH_CONSOLE_PORT",
}


class WorkerProcess:
    """`chargewatch worker` with a state directory, a web port and a log of its own.

    Parameters
    ----------
    directory
        Where its state and its log are.
    env
        `KAFKA_BOOTSTRAP_SERVERS` and the settings, as environment variables.
    module
        What is run in place of `agents`.
    source
        The checkout that is run, if it is not this one.
    verb
        `serve` for a replica of the API, `console` for a console.
    """

    def __init__(
        self,
        directory: Path,
        env: dict[str, str],
        module: str = "agents",
        source: Path | None = None,
        verb: str = "worker",
    ) -> None:
        compile_kernels(source)
        directory.mkdir(parents=True, exist_ok=True)
        self.state_dir = directory / "state"
        self.log = directory / "log"
        self.port = _free_port()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, verb],
                env=os.environ
                | {
                    "CHARGEWATCH_STATE_DIR": str(self.state_dir),
                    _PORTS[verb]: str(self.port),
                }
                | env,
                cwd=source,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        if error is not None:
            error.add_note(f"The worker's log:\n{self.text()[-4000:]}")

    def text(self) -> str:
        """Return the log so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def page(self, path: str) -> tuple[int, str]:
        """Return status and text of a page on the worker's web port; 0 where nothing answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def wait_until_logged(self, words: str, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until some words are in the log."""
        deadline = time.monotonic() + timeout_s
        while words not in self.text():
            assert self.process.poll() is None, f"the worker ended:\n{self.text()[-4000:]}"
            assert time.monotonic() < deadline, f"no {words!r} in:\n{self.text()[-4000:]}"
            time.sleep(0.01)

    def wait_until_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until all its tasks run."""
        deadline = time.monotonic() + timeout_s
        while self.page("/readyz")[0] != 200:
            assert self.process.poll() is None, f"the worker ended:\n{self.text()[-4000:]}"
            assert time.monotonic() < deadline, f"the worker is not ready:\n{self.text()[-4000:]}"
            time.sleep(0.05)

    def wait_for_metric(self, name: str, least: float, timeout_s: float = 60.0) -> None:
        """Wait until a metric is large enough: most are counted once a second."""
        deadline = time.monotonic() + timeout_s
        while (found := self.metric(name)) < least:
            assert time.monotonic() < deadline, f"{name} is {found}"
            time.sleep(0.05)

    def metric(self, name: str) -> float:
        """Return the sum over a metric's labels."""
        return self.metric_from(f"{name} ", f"{name}{{")

    def metric_from(self, *beginnings: str) -> float:
        """Return the sum over the series that begin with one of these texts."""
        lines = self.page("/metrics")[1].splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(beginnings))

    def stop(self) -> int:
        """Stop it as a supervisor does, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_TIMEOUT_S)

    def kill(self) -> None:
        """Kill it, whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
