"""What the commit interval does to latency at two rates, and to throughput at full load."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tests.bench.data import created_at, until
from tests.bench.installation import Installation, Outputs
from tests.bench.latency import QUANTILES, OpenLoop
from tests.bench.percentiles import quantile
from tests.bench.systems import OURS
from tests.bench.throughput import TIMEOUT_S, Run, at_full_load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streams.kafka.config import Config

INTERVALS_MS = (5, 10, 20, 25, 50, 100, 250, 1_000)
RATES = (500, 2_300)
"""Charges a second, while latency is measured."""


@dataclass(frozen=True)
class Interval:
    """What was measured with one commit interval, exactly once.

    Attributes
    ----------
    quantiles
        Of the latency at each of `RATES`, milliseconds, by name.
    full_load
        What it did when it had more to do than it could.
    """

    commit_interval_ms: int
    quantiles: dict[int, dict[str, float]]
    full_load: Run


@dataclass(frozen=True)
class _Plan:
    """Charges of history, of full load, and seconds at each rate to settle and to count."""

    history: int
    full: int
    settling_s: float
    seconds: float


_LONG, _SHORT = _Plan(60_000, 90_000, 4.0, 30.0), _Plan(5_000, 5_000, 1.0, 2.0)


def intervals(
    config: Config, directory: Path, say: Callable[[str], None], *, is_short: bool
) -> list[Interval]:
    """Measure one worker after the other, each with an interval of its own."""
    plan = _SHORT if is_short else _LONG
    live = [round(rate * (plan.settling_s + plan.seconds)) for rate in RATES]
    say(f"simulating {plan.history + sum(live) + plan.full:,} charges")
    data = until(time.time(), plan.history, sum(live) + plan.full)
    found = []
    for interval_ms in INTERVALS_MS:
        system = replace(OURS, env={"CHARGEWATCH_COMMIT_INTERVAL_MS": str(interval_ms)})
        with Installation(config, f"bench-{interval_ms}-ms.") as installation:
            installation.load(data.part(0, plan.history))
            outputs = Outputs(installation)
            with system.start(installation, directory / str(interval_ms)) as process:
                outputs.wait_for(plan.history, TIMEOUT_S, process.check)
                done, quantiles = plan.history, dict[int, dict[str, float]]()
                for rate, count in zip(RATES, live, strict=True):
                    loop = OpenLoop(installation, data.part(done, count), rate)
                    settled = sorted(loop.run()[round(rate * plan.settling_s) :])
                    quantiles[rate] = {n: quantile(settled, q) for n, q in QUANTILES.items()}
                    done += count
                    outputs.wait_for(done, TIMEOUT_S, process.check)
                loaded = data.part(done, plan.full)
                times = (time.time() + np.arange(plan.full) / plan.full).tolist()
                full_load = at_full_load(process, installation, outputs, created_at(loaded, times))
            outputs.close()
        found.append(Interval(interval_ms, quantiles, full_load))
        told = "; ".join(
            f"p50 {of['p50']:.0f}, p99 {of['p99']:.0f} ms at {rate:,} charges/s"
            for rate, of in quantiles.items()
        )
        say(f"commit every {interval_ms:,} ms: {told}; {full_load.charges_per_s:,.0f} at most")
    return found
