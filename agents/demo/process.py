"""A command of ours as a process beside the demo: started, asked whether it is ready, stopped."""

import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

from agents.demo.cluster import DemoError
from agents.settings.schema import COST_FIELDS, FIELDS, SIGNALS, Settings
from agents.settings.sources import variable
from deploy.broker import HOST

READY_TIMEOUT_S = 300.0  # the first worker of an installation compiles the kernels
STOP_TIMEOUT_S = 30.0
LOG_TAIL_LINES = 20

_ASK_AGAIN_S = 0.1


class Process:
    """The same command that a user would run, stopped at the end of the `with` block.

    Parameters
    ----------
    verb
        Which command.
    env
        Its environment, but for its settings.
    directory
        For its state and its log; removed by whoever made it.
    """

    def __init__(self, verb: str, env: Mapping[str, str], directory: Path) -> None:
        self._verb = verb
        self._env = env
        self._log = directory / f"{verb}.log"
        self._state = str(directory / verb)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, settings: Settings, port: int) -> None:
        """Start it; `port` is the one of its pages, as the settings have it."""
        self._port = port
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "agents", self._verb, "--state-dir", self._state],
                env={**self._env, **environment(settings)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal is for the demo, which then stops it in order.
                process_group=0,
            )

    def stop(self) -> None:
        """Stop it as a supervisor does."""
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_until_ready(self, sleep: Callable[[float], None]) -> None:
        """Wait until it is ready, and with `sleep` before it is asked again.

        Raises
        ------
        DemoError
            When it ends instead, or takes too long; with the end of its log.
        """
        deadline = monotonic() + READY_TIMEOUT_S
        while not self._is_ready():
            self.check()
            if monotonic() > deadline:
                raise self.failure(f"the {self._verb} was not ready after {READY_TIMEOUT_S:.0f} s")
            sleep(_ASK_AGAIN_S)

    def check(self) -> None:
        """Raise a DemoError with the end of its log when it has ended."""
        code = self._process.poll()
        if code is not None:
            raise self.failure(f"the {self._verb} ended with code {code}")

    def failure(self, what: str) -> DemoError:
        """Return an error that says what happened and shows the end of its log."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return DemoError("\n".join([f"{what}; the end of its log:", *lines[-LOG_TAIL_LINES:]]))

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"http://{HOST}:{self._port}/readyz", timeout=1.0):
                return True
        except (URLError, OSError):  # not there yet, or 503
            return False


def environment(settings: Settings) -> dict[str, str]:
    """Return the variables that make another process have the same settings, without signals.

    >>> environment(Settings(commit_interval_ms=50))["CHARGEWATCH_COMMIT_INTERVAL_MS"]
    '50'
    >>> environment(Settings(entities=()))["CHARGEWATCH_ENTITIES"]
    ','
    """
    values = {name: getattr(settings, name) for name in FIELDS}
    values |= {f"costs.{name}": getattr(settings.costs, name) for name in COST_FIELDS}
    return {
        variable(name): (",".join(value) or ",") if isinstance(value, tuple) else str(value)
        for name, value in values.items()
    } | {variable(SIGNALS): ""}


def free_port(wanted: int = 0) -> int:
    """Return a port that nobody listens on: the wanted one, or any other if that is taken."""
    try:
        with socket.create_server((HOST, wanted)) as probe:
            return int(probe.getsockname()[1])
    except OSError:
        return free_port()
