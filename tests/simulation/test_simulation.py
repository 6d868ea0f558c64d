"""Whatever goes wrong, every input counts exactly once: seeded schedules on a simulated broker.

A seed that fails is told with its variant; `python -m tests.simulation SEED` tells its story. More
of them, or others: SIMULATE_SCHEDULES and SIMULATE_SEED.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest

from tests.simulation.conftest import on_one_core, quiet
from tests.simulation.faults import COMMIT_POINTS, CRASH, CUT_OFF, FENCE, PAUSE, Coverage, Fault
from tests.simulation.simulation import ScheduleError, Simulation, Variant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.queues import Queue

SEED = int(os.environ.get("SIMULATE_SEED", "0"))
SCHEDULES = int(os.environ.get("SIMULATE_SCHEDULES", "160"))
PART = 250
"""Schedules that a process runs at a time, where there are more."""

SHOWN = 5

VARIANTS = {
    "counting": Variant(),
    "at least once": Variant(exactly_once=False),
    "real stages": Variant(is_real=True),
}
SHARES = {"counting": 1.0, "at least once": 0.25, "real stages": 0.25}
"""Schedules of each variant, in parts of `SIMULATE_SCHEDULES`."""


def run(variant: Variant, count: int, first: int = SEED) -> Coverage:
    """Run schedules, many of them on all cores; fail with the seeds of those that do."""
    end = first + count
    parts = [range(start, min(start + PART, end)) for start in range(first, end, PART)]
    if len(parts) == 1:
        results = [run_part(variant, parts[0])]
    else:
        results = _run_on_all_cores(variant, parts)
    failures = [failure for _, failed in results for failure in failed]
    told = "\n\n".join(failures[:SHOWN])
    assert not failures, f"{len(failures)} of {count} schedules from seed {first}:\n{told}"
    return sum((coverage for coverage, _ in results), Coverage())


def _run_on_all_cores(variant: Variant, parts: Sequence[range]) -> list[tuple[Coverage, list[str]]]:
    context = get_context("spawn")
    cores = context.Queue()
    for core in os.sched_getaffinity(0):
        cores.put(core)
    count = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(count, context, _stay_on_a_core, (cores,)) as processes:
        return list(processes.map(partial(run_part, variant), parts))


def _stay_on_a_core(cores: Queue[int]) -> None:
    """Bind this process to a core of its own."""
    os.sched_setaffinity(0, {cores.get()})


def run_part(variant: Variant, seeds: range) -> tuple[Coverage, list[str]]:
    """Run schedules; return what they met, and what those say that failed."""
    coverage, failures = Coverage(), list[str]()
    with quiet(), on_one_core():
        for seed in seeds:
            try:
                Simulation(seed, variant, coverage).run()
            except ScheduleError as failure:
                failures.append(str(failure))
    return coverage, failures


@pytest.mark.parametrize("name", VARIANTS)
def test_random_schedules(name: str) -> None:
    count = round(SHARES[name] * SCHEDULES)
    began = time.perf_counter()
    coverage = run(VARIANTS[name], count)
    rate = 60 * count / (time.perf_counter() - began)
    sys.stdout.write(
        f"{name}: {count} schedules from seed {SEED}, {rate:.0f} a minute\n"
        f"  what went wrong: {dict(coverage.faults)}\n"
        f"  crashes within a commit: {dict(sorted(coverage.crashes.items()))}\n"
        f"  groups that left tasks to nobody: {coverage.orphans}\n"
    )
    assert sum(coverage.faults.values()) > count / 2


@pytest.mark.parametrize(
    ("point", "fault"),
    product(COMMIT_POINTS, (Fault("", CRASH), Fault("", PAUSE, 8.0), Fault("", FENCE, 0.5))),
    ids=lambda value: value.kind if isinstance(value, Fault) else value[0],
)
def test_every_point_of_a_commit(point: str, fault: Fault) -> None:
    coverage = run(Variant(faults=(fault._replace(step=point),)), 6)
    assert coverage.faults[fault.kind] > 0
    if fault.kind == CRASH:
        assert coverage.crashes[point] > 0


def test_a_broker_out_of_reach_at_every_commit() -> None:
    run(Variant(faults=tuple(Fault(point, CUT_OFF, 2.0) for point in COMMIT_POINTS)), 6)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_seed_determines_everything(name: str) -> None:
    def logs() -> list[object]:
        simulation = Simulation(SEED + 4, VARIANTS[name], Coverage())
        simulation.run()
        logs = simulation.broker.logs.items()
        told = [
            repr(log.committed()) for (topic, _), log in logs if topic != "scored"
        ]  # has a time
        return [simulation.scheduler.now, *told]

    assert logs() == logs()
