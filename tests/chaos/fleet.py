"""The workers under test, and the supervisor that starts again whatever ended."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

_LOOK_EVERY_S = 0.1
_RESTART_AFTER_S = 0.3
_STOP_TIMEOUT_S = 10.0
_FENCED = "Static consumer fenced by other consumer with same group.instance.id"
_EVENT = re.compile(r"tasks (assigned|revoked|lost): \[([\d, ]*)\]|task (\d+): (running)")


@dataclass
class Slot:
    """A place for a worker: a directory, and the names the worker has whenever it is started.

    Attributes
    ----------
    source
        The checkout that is run, if it is not this one.
    worker
        The latest process.
    is_wanted
        Whether the supervisor keeps it alive.
    log_start
        Where in the log the latest process begins.
    """

    directory: Path
    env: dict[str, str]
    module: str
    source: Path | None = None
    worker: WorkerProcess | None = None
    is_wanted: bool = False
    log_start: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def process_id(self) -> int:
        assert self.worker is not None
        return self.worker.process.pid

    @property
    def is_alive(self) -> bool:
        return self.worker is not None and self.worker.process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Whether all its tasks run."""
        return self.worker is not None and self.worker.page("/readyz")[0] == 200

    def start(self) -> None:
        log = self.directory / "log"
        self.log_start = log.stat().st_size if log.exists() else 0
        env = self.env if self.source is None else _known_to(self.source, self.env)
        self.worker = WorkerProcess(self.directory, env, self.module, self.source)

    def text(self) -> str:
        """Return what the latest process has logged."""
        with (self.directory / "log").open("rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def tasks(self) -> set[int]:
        """Return the tasks that run here, by the worker's own word."""
        running: set[int] = set()
        if self.is_alive:
            for what, numbers, number, _ in _EVENT.findall(self.text()):
                if number:
                    running.add(int(number))
                elif what != "assigned":
                    running -= {int(n) for n in numbers.split(",") if n.strip()}
        return running


@dataclass(frozen=True)
class Stop:
    """How a worker ended on SIGTERM.

    Attributes
    ----------
    is_fenced
        Whether the group had taken a static member for a predecessor of itself, as happens when a
        broker was away for longer than the session: the worker then ends with a failure anyway.
    """

    name: str
    code: int
    took_s: float
    is_fenced: bool

    @property
    def is_in_order(self) -> bool:
        return (self.code == 0 or self.is_fenced) and self.took_s < _STOP_TIMEOUT_S


class Fleet:
    """Worker processes by their slots.

    Parameters
    ----------
    directory
        Where each has its state and its log.
    env
        Settings that all share.
    module
        What is run in place of `agents`.

    Attributes
    ----------
    ended
        Workers that ended, and were started again.
    stops
        Workers that were told to end.
    """

    def __init__(self, directory: Path, env: dict[str, str], module: str = "agents") -> None:
        self.slots: list[Slot] = []
        self.ended: list[str] = []
        self.stops: list[Stop] = []
        self._directory = directory
        self._env = env
        self._module = module
        self._stop = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def __enter__(self) -> Self:
        self._supervisor.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._supervisor.join()
        for slot in self.slots:
            if slot.worker is not None:
                slot.worker.kill()

    @property
    def running(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.is_wanted]

    def add(self, source: Path | None = None) -> Slot:
        """Start a worker: one that was removed comes back, with its old state, or a new one.

        It runs the checkout at `source`, or this one.
        """
        slot = next((slot for slot in self.slots if not slot.is_wanted), None) or self._new_slot()
        with slot.lock:
            slot.source = source
            slot.start()
            slot.is_wanted = True
        return slot

    def remove(self, slot: Slot) -> None:
        """Stop a worker for good, as an operator does."""
        with slot.lock:
            slot.is_wanted = False
            self.terminate(slot)

    def remove_all(self, *, kills: bool = False) -> None:
        """Stop all workers for good and at once, in order or not."""
        slots = self.running
        for slot in slots:
            with slot.lock:
                slot.is_wanted = False
        with ThreadPoolExecutor(len(slots)) as pool:
            list(pool.map(kill if kills else self.terminate, slots))

    def replace(self, slot: Slot, source: Path | None, *, kills: bool = False) -> None:
        """Stop a worker, in order or not, and start it again from another checkout."""
        with slot.lock:
            if kills:
                kill(slot)
            else:
                self.terminate(slot)
            slot.source = source
            slot.start()

    def terminate(self, slot: Slot) -> None:
        """Stop a worker by SIGTERM, which has to end it in order and in time."""
        assert slot.worker is not None
        began = time.monotonic()
        try:
            code = slot.worker.stop()
        except subprocess.TimeoutExpired:
            slot.worker.kill()
            code = -signal.SIGKILL
        took_s = time.monotonic() - began
        self.stops.append(Stop(slot.name, code, took_s, _FENCED in slot.text()))

    def stop(self) -> None:
        """Stop all workers, each in order."""
        for slot in self.running:
            self.remove(slot)

    def _new_slot(self) -> Slot:
        """Make a slot of one of the three kinds of names that a worker may have."""
        number = len(self.slots)
        name = f"worker-{number}"
        names = [
            {"CHARGEWATCH_WORKER_ID": name, "CHARGEWATCH_INSTANCE_ID": name},
            {"CHARGEWATCH_WORKER_ID": name},
            {},
        ][number % 3]
        slot = Slot(self._directory / name, self._env | names, self._module)
        self.slots.append(slot)
        return slot

    def _supervise(self) -> None:
        while not self._stop.wait(_LOOK_EVERY_S):
            for slot in self.running:
                with slot.lock:
                    if slot.is_wanted and not slot.is_alive:
                        assert slot.worker is not None
                        end = f"{slot.name} ended with {slot.worker.process.returncode}"
                        self.ended.append(end)
                        time.sleep(_RESTART_AFTER_S)
                        slot.start()


def kill(slot: Slot) -> None:
    """Kill a worker with `kill -9`; the supervisor starts it again."""
    assert slot.worker is not None
    slot.worker.kill()


def suspend(slot: Slot, seconds: float) -> None:
    """Suspend a worker, which does not know of it when it goes on."""
    assert slot.worker is not None
    slot.worker.process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    slot.worker.process.send_signal(signal.SIGCONT)


def state_files(slot: Slot) -> list[Path]:
    """Return the files of a worker's databases, without their logs of events."""
    assert slot.worker is not None
    files = (path for path in slot.worker.state_dir.rglob("*") if path.is_file())
    return sorted(path for path in files if not path.name.startswith(("LOG", "LOCK")))


def delete_state(slot: Slot) -> None:
    """Delete all of a worker's state."""
    assert slot.worker is not None
    shutil.rmtree(slot.worker.state_dir)


def _known_to(source: Path, env: dict[str, str]) -> dict[str, str]:
    """Return an environment without the settings that another version does not have."""
    files = [source / "agents" / "settings.py", source / "agents" / "settings" / "schema.py"]
    text = "".join(file.read_text(encoding="utf-8") for file in files if file.exists())
    prefix = "CHARGEWATCH_"
    return {
        name: value
        for name, value in env.items()
        if not name.startswith(prefix) or f"{name.removeprefix(prefix).lower()}:" in text
    }
