"""How fast lost state is restored, and how long a worker takes from its start to a first score."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.data import DAYS, Dataset
from tests.bench.installation import Installation, Outputs
from tests.bench.systems import OURS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streams.kafka.config import Config
    from tests.bench.process import Running

CHARGES, SHORT_CHARGES = 300_000, 20_000
IMPORTS = 5
TIMEOUT_S = 120.0
FEW = 1_000
"""Charges that wait when a task is taken over."""

_LOOK_EVERY_S, _IDLE_SHARE = 6.0, 0.2
"""Standby copies are planned every 5 s; who copies nothing any more takes less of a core."""

_DAY_S = 86_400.0
_RESTORED = re.compile(r"task \d+: restored (\d+) records in ([\d.]+) s")


@dataclass(frozen=True)
class Restore:
    """What starting takes.

    Attributes
    ----------
    records
        In the changelog that was restored.
    records_per_s
        Of all tasks, which are restored one after the other.
    fresh_s, kept_s, restored_s
        From the start of the process to its first scored event: without any state before, with its
        state, and with the state deleted.
    import_s
        Of an interpreter that does nothing but import the worker; the median.
    taken_over_s, copied_s
        From the end of one of two workers until the other has scored what waits for its tasks:
        when it has to restore them, and when it had standby copies.
    """

    charges: int
    records: int
    records_per_s: float
    fresh_s: float
    kept_s: float
    restored_s: float
    import_s: float
    taken_over_s: float
    copied_s: float


def restore(
    config: Config, directory: Path, say: Callable[[str], None], *, is_short: bool
) -> Restore:
    """Measure starts of a worker with the state of so many charges."""
    count = SHORT_CHARGES if is_short else CHARGES
    say(f"simulating {count:,} charges")
    data = Dataset(count + FEW, time.time() - (DAYS + 1.0) * _DAY_S)
    with Installation(config, "bench-restore.") as installation:
        outputs = Outputs(installation)
        start = Starts(installation, outputs, data, directory)
        try:
            fresh_s, _ = start(1)
            start(count)
            kept_s, _ = start(1)
            shutil.rmtree(directory / "state")
            restored_s, log = start(1)
        finally:
            outputs.close()
    records = [(int(number), float(seconds)) for number, seconds in _RESTORED.findall(log)]
    total = sum(number for number, _ in records)
    return Restore(
        count, total, total / sum(seconds for _, seconds in records),
        fresh_s, kept_s, restored_s, import_s(),
        *(takeover_s(config, data, directory, count, replicas) for replicas in (0, 1)),
    )  # fmt: skip


class Starts:
    """Starts of one worker, each with the next charges of a stream."""

    def __init__(
        self, installation: Installation, outputs: Outputs, data: Dataset, directory: Path
    ) -> None:
        self._installation = installation
        self._outputs = outputs
        self._data = data
        self._directory = directory
        self._done = 0

    def __call__(self, count: int) -> tuple[float, str]:
        """Have so many charges scored by a worker; return the seconds to the first, and its log."""
        self._installation.load(self._data.part(self._done, count))
        before = len(self._outputs.times)
        with OURS.start(self._installation, self._directory) as process:
            self._outputs.wait_for(before + count, TIMEOUT_S, process.check)
        self._done += count
        return min(self._outputs.times[before:]) - process.started_at, process.log()


def takeover_s(config: Config, data: Dataset, directory: Path, count: int, replicas: int) -> float:
    """Return how long it takes another worker to take over half of the state of so many charges."""
    system = replace(OURS, env={"CHARGEWATCH_STANDBY_REPLICAS": str(replicas)})
    with Installation(config, f"bench-takeover-{replicas}.") as installation:
        outputs = Outputs(installation)
        installation.load(data.part(0, count))
        with ExitStack() as workers:
            first = workers.enter_context(
                system.start(installation, directory / f"first-{replicas}")
            )
            outputs.wait_for(count, TIMEOUT_S, first.check)
            other = system.start(installation, directory / f"other-{replicas}")
            with other:
                _await_half(other)
                workers.close()
                ended_at = time.time()
                installation.load(data.part(count, FEW))
                outputs.wait_for(count + FEW, TIMEOUT_S, other.check)
        outputs.close()
        return max(outputs.times) - ended_at


def _await_half(worker: Running) -> None:
    """Wait until a worker has restored its tasks, and is up to date with what it copies."""
    while "worker ready: tasks [" not in worker.log():
        worker.check()
        time.sleep(_LOOK_EVERY_S)
    used_s = -1.0
    while (now_s := worker.cpu_s()) - used_s > _IDLE_SHARE * _LOOK_EVERY_S:
        used_s = now_s
        time.sleep(_LOOK_EVERY_S)


def import_s() -> float:
    """Return how long an interpreter takes that imports the worker, at the median."""
    return median(
        _seconds([sys.executable, "-c", "import agents.worker.app"]) for _ in range(IMPORTS)
    )


def _seconds(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(command, check=True)
    return time.monotonic() - began
