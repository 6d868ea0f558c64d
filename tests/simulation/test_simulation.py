"""Whatever goes wrong, every input counts exactly once: seeded schedules on a simulated broker.

A seed that fails is told with its variant; `python -m tests.simulation SEED` tells its story. More
of them, or others: SIMULATE_SCHEDULES and SIMULATE_SEED.
"""

import os
import sys
import time
from itertools import product

import pytest

from tests.simulation.faults import COMMIT_POINTS, CRASH, CUT_OFF, FENCE, PAUSE, Coverage, Fault
from tests.simulation.simulation import ScheduleError, Simulation, Variant

SEED = int(os.environ.get("SIMULATE_SEED", "0"))
SCHEDULES = int(os.environ.get("SIMULATE_SCHEDULES", "160"))
SHOWN = 5

VARIANTS = {
    "counting": Variant(),
    "at least once": Variant(exactly_once=False),
    "real stages": Variant(is_real=True),
}
SHARES = {"counting": 1.0, "at least once": 0.25, "real stages": 0.25}
"""Schedules of each variant, in parts of `SIMULATE_SCHEDULES`."""


def run(variant: Variant, count: int, first: int = SEED) -> Coverage:
    """Run schedules; fail with the seeds of those that do."""
    coverage, failures = Coverage(), list[str]()
    for seed in range(first, first + count):
        try:
            Simulation(seed, variant, coverage).run()
        except ScheduleError as failure:
            failures.append(str(failure))
    told = "\n\n".join(failures[:SHOWN])
    assert not failures, f"{len(failures)} of {count} schedules from seed {first}:\n{told}"
    return coverage


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
