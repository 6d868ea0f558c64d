"""A process under measurement."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

_STOP_TIMEOUT_S = 30.0
_LOG_TAIL = 3000
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Running:
    """A process with a log, stopped at the end of the `with` block.

    Parameters
    ----------
    command
        What is run, in the directory of the checkout.
    env
        Added to the environment.
    log
        Where its output goes.

    Attributes
    ----------
    started_at
        Unix time.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self.started_at = time.time()
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
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
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if error is not None:
            error.add_note(f"The end of the log:\n{self.log()[-_LOG_TAIL:]}")

    def log(self) -> str:
        """Return what it has written so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def check(self) -> None:
        """Raise a RuntimeError when it has ended."""
        code = self._process.poll()
        if code is not None:
            raise RuntimeError(f"the process ended with {code}")

    def suspend(self) -> None:
        """Halt it where it is."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def cpu_s(self) -> float:
        """Return the CPU seconds that all its threads have taken, in user and system mode."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / _TICKS_PER_S
