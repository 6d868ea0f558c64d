"""How many charges a second each contestant carries, end to end, at full load."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.data import DAYS, Dataset
from tests.bench.installation import Installation, Outputs
from tests.bench.systems import CEILING, FAUST, FAUST_ONE, KAFKA_STREAMS, OURS, QUIX, SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from streams.kafka.config import Config
    from tests.bench.data import Event
    from tests.bench.process import Measured
    from tests.bench.systems import System

TIMEOUT_S = 600.0
SHORT = 0.1
"""Share of the charges in a short run; not long enough for a steady state."""

_DAY_S = 86_400.0


@dataclass(frozen=True)
class Run:
    """What one contestant did in one round.

    Attributes
    ----------
    charges_per_s
        Over the time below.
    cpu_s_per_million
        CPU seconds of the process for a million charges.
    seconds
        From when the process goes on to the last output.
    load
        The machine's load average over a minute, before.
    """

    charges_per_s: float
    cpu_s_per_million: float
    seconds: float
    load: float


@dataclass(frozen=True)
class Line:
    """All rounds of a contestant."""

    name: str
    guarantee: str
    charges: int
    runs: list[Run]

    @property
    def charges_per_s(self) -> float:
        """The median."""
        return median(run.charges_per_s for run in self.runs)

    @property
    def cpu_s_per_million(self) -> float:
        """The median."""
        return median(run.cpu_s_per_million for run in self.runs)

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest charges a second."""
        rates = [run.charges_per_s for run in self.runs]
        return min(rates), max(rates)


@dataclass(frozen=True)
class Ratio:
    """Our median over another's, both of the same runs."""

    against: str
    measured: float
    target: float

    @property
    def is_met(self) -> bool:
        """Whether it is at least the target."""
        return self.measured >= self.target


TARGETS = ((FAUST, 15.0), (FAUST_ONE, 15.0), (QUIX, 4.0), (KAFKA_STREAMS, 1.0), (CEILING, 0.25))
"""What one worker with exactly-once is to reach, as a multiple of others."""


def throughput(
    config: Config, rounds: int, directory: Path, say: Callable[[str], None], *, is_short: bool
) -> list[Line]:
    """Measure all contestants, one after the other, round after round."""
    scale = SHORT if is_short else 1.0
    systems = [_scaled(system, scale) for system in SYSTEMS]
    most = max(system.warm_up + system.measured for system in systems)
    say(f"simulating {most:,} charges")
    data = Dataset(most, time.time() - (DAYS + 1.0) * _DAY_S)
    lines = [Line(s.name, s.guarantee, s.measured, []) for s in systems]
    for number in range(rounds):
        for place, (system, line) in enumerate(zip(systems, lines, strict=True)):
            prefix = f"bench-{number}-{place}."
            with Installation(config, prefix) as installation:
                run = measure(system, installation, data, directory / prefix)
            line.runs.append(run)
            say(
                f"round {number + 1}: {system.name}, {system.guarantee}: "
                f"{run.charges_per_s:,.0f} charges/s, {run.cpu_s_per_million:,.1f} CPU s a million"
            )
    return lines


def ratios(lines: Sequence[Line]) -> list[Ratio]:
    """Compare our exactly-once worker with the others."""
    rates = {(line.name, line.guarantee): line.charges_per_s for line in lines}
    ours = rates[OURS.name, OURS.guarantee]
    return [Ratio(s.name, ours / rates[s.name, s.guarantee], target) for s, target in TARGETS]


def measure(system: System, installation: Installation, data: Dataset, directory: Path) -> Run:
    """Measure one contestant once, after a warm-up in which everything starts and is compiled."""
    outputs = Outputs(installation)
    installation.load(data.part(0, system.warm_up))
    try:
        with system.start(installation, directory) as process:
            outputs.wait_for(system.warm_up, TIMEOUT_S, process.check)
            events = data.part(system.warm_up, system.measured)
            return at_full_load(process, installation, outputs, events)
    finally:
        outputs.close()


def at_full_load(
    process: Measured, installation: Installation, outputs: Outputs, events: Sequence[Event]
) -> Run:
    """Measure what is running while it has more to do than it can.

    It is halted while the charges to measure are loaded, so that all of them are there when it goes
    on and loading takes no time from it. The time counts from there, not from the first output: a
    contestant whose first stage runs ahead of its second would gain by that.
    """
    load = os.getloadavg()[0]
    process.suspend()
    outputs.times.clear()
    installation.load(events)
    used = [(time.time(), process.cpu_s())]
    process.resume()

    def sample() -> None:
        process.check()
        used.append((time.time(), process.cpu_s()))

    outputs.wait_for(sum(event.is_charge for event in events), TIMEOUT_S, sample)
    sample()
    (resumed_at, cpu_before_s), last = used[0], max(outputs.times)
    seconds, cpu_s = last - resumed_at, at(last, used) - cpu_before_s
    count = len(outputs.times)
    return Run(count / seconds, 1e6 * cpu_s / count, seconds, load)


def at(time_s: float, samples: Sequence[tuple[float, float]]) -> float:
    """Return a value between samples of it, each a time and the value then."""
    for (before, low), (after, high) in pairwise(samples):
        if before <= time_s <= after:
            return low + (high - low) * (time_s - before) / (after - before)
    raise ValueError(f"no samples around {time_s}")


def _scaled(system: System, scale: float) -> System:
    return replace(
        system, warm_up=int(system.warm_up * scale), measured=int(system.measured * scale)
    )
