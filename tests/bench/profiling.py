"""Where a worker's time goes at full load: its stacks, sampled by py-spy, and CPU by thread."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.data import DAYS, Dataset
from tests.bench.flame_graph import flame_graph, read_stacks, shares
from tests.bench.installation import Installation, Outputs
from tests.bench.process import CPU_TICKS_PER_S
from tests.bench.systems import OURS
from tests.bench.throughput import TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.kafka.config import Config

WARM_UP, SAMPLED = 150_000, 400_000
SHORT = 0.1
SECONDS, SHORT_SECONDS = 20, 2
SHOWN = 40

_SAMPLES_PER_S = 250
_DAY_S = 86_400.0
_NAME = re.compile(r"[:0-9].*")
_WAITING = (
    "_worker futures/thread.py",
    "Condition.wait threading.py",
    "EpollSelector.select",
    "UnassignedTasks._run streams/engine/unassigned_tasks.py",
)
"""Where threads of Python wait, for work or an answer, which looks like work on a busy machine."""


@dataclass(frozen=True)
class Profile:
    """Where the time went.

    Attributes
    ----------
    functions
        The largest: name, and share of the samples with and without what it calls.
    threads
        CPU seconds by the name of the thread in the system; those of Python have the process's.
    picture
        The flame graph, SVG.
    """

    samples: int
    functions: list[tuple[str, float, float]]
    threads: dict[str, float]
    picture: str


def profile(
    config: Config, directory: Path, say: Callable[[str], None], *, is_short: bool
) -> Profile:
    """Sample a worker that has more to do than it can.

    Raises
    ------
    FileNotFoundError
        When there is no py-spy on the path; it is none of our dependencies.
    """
    scale = SHORT if is_short else 1.0
    seconds = SHORT_SECONDS if is_short else SECONDS
    warm_up, sampled = int(WARM_UP * scale), int(SAMPLED * scale)
    spy = shutil.which("py-spy")
    if spy is None:
        raise FileNotFoundError("py-spy: not on the path; pip install py-spy")
    say(f"simulating {warm_up + sampled:,} charges")
    data = Dataset(warm_up + sampled, time.time() - (DAYS + 1.0) * _DAY_S)
    folded = directory / "stacks"
    with Installation(config, "bench-profile.") as installation:
        outputs = Outputs(installation)
        installation.load(data.part(0, warm_up))
        try:
            with OURS.start(installation, directory) as process:
                outputs.wait_for(warm_up, TIMEOUT_S, process.check)
                process.suspend()
                installation.load(data.part(warm_up, sampled))
                process.resume()
                before = cpu_by_thread(process.pid)
                subprocess.run(
                    [
                        spy, "record", "--pid", str(process.pid), "--duration", str(seconds),
                        "--rate", str(_SAMPLES_PER_S), "--function", "--format", "raw",
                        "--output", str(folded),
                    ],
                    check=True, capture_output=True,
                )  # fmt: skip
                after = cpu_by_thread(process.pid)
        finally:
            outputs.close()
    sampled_stacks = read_stacks(folded.read_text(encoding="utf-8"))
    stacks = [stack for stack in sampled_stacks if not stack[0][-1].startswith(_WAITING)]
    samples = sum(count for _, count in stacks)
    return Profile(
        samples,
        shares(stacks)[:SHOWN],
        {name: cpu_s - before.get(name, 0.0) for name, cpu_s in after.items()},
        flame_graph(stacks, f"Python threads of a worker at full load, {samples:,} samples"),
    )


def cpu_by_thread(pid: int) -> dict[str, float]:
    """Return the CPU seconds of a process's threads, those of one kind together."""
    used: dict[str, float] = {}
    for path in Path(f"/proc/{pid}/task").glob("*/stat"):
        head, _, rest = path.read_text().rpartition(")")
        name = _NAME.sub("", head.partition("(")[2])
        ticks = sum(int(value) for value in rest.split()[11:13])
        used[name] = used.get(name, 0.0) + ticks / CPU_TICKS_PER_S
    return used
