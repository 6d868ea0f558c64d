"""A process under measurement."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

CPU_TICKS_PER_S = os.sysconf("SC_CLK_TCK")

_STOP_TIMEOUT_S = 30.0
_LOG_TAIL = 3000


class Measured(Protocol):
    """What can be halted and measured: a process, or several."""

    def check(self) -> None:
        """Raise a RuntimeError when it has ended."""

    def suspend(self) -> None:
        """Halt it where it is."""

    def resume(self) -> None:
        """Let it go on."""

    def cpu_s(self) -> float:
        """Return the CPU seconds that all its threads have taken, in user and system mode."""


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

    @property
    def pid(self) -> int:
        """Its number in the system."""
        return self._process.pid

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
        return (int(user) + int(system)) / CPU_TICKS_PER_S

    def peak_mb(self) -> float:
        """Return the most memory that it has had resident, in MB."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024.0


class Together:
    """Processes that are measured as one."""

    def __init__(self, processes: Sequence[Running]) -> None:
        self._processes = processes

    def check(self) -> None:
        """See `Measured.check`."""
        for process in self._processes:
            process.check()

    def suspend(self) -> None:
        """See `Measured.suspend`."""
        for process in self._processes:
            process.suspend()

    def resume(self) -> None:
        """See `Measured.resume`."""
        for process in self._processes:
            process.resume()

    def cpu_s(self) -> float:
        """See `Measured.cpu_s`."""
        return sum(process.cpu_s() for process in self._processes)

    def peak_mb(self) -> float:
        """Return the most memory that any of them has had resident, in MB."""
        return max(process.peak_mb() for process in self._processes)
