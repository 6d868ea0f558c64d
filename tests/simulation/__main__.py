"""Tell what happens in one schedule: `python -m tests.simulation SEED`."""

from __future__ import annotations

import argparse
import logging
import sys

from tests.simulation.faults import Coverage
from tests.simulation.real_stages import separate_metrics
from tests.simulation.simulation import ScheduleError, Simulation, Variant


def main() -> int:
    """Run the schedule, with the log of everything in it, and return whether it failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("seed", type=int)
    parser.add_argument("--real", action="store_true", help="with the real stages")
    parser.add_argument("--at-least-once", action="store_true", help="without transactions")
    options = parser.parse_args()
    variant = Variant(exactly_once=not options.at_least_once, is_real=options.real)
    simulation = Simulation(options.seed, variant, Coverage())
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Formatter(simulation))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        with separate_metrics():
            simulation.run()
    except ScheduleError as failure:
        logging.error("%s", failure)
        return 1
    return 0


class _Formatter(logging.Formatter):
    """Puts the fake clock and whoever speaks before each message."""

    def __init__(self, simulation: Simulation) -> None:
        super().__init__("%(message)s")
        self._scheduler = simulation.scheduler

    def format(self, record: logging.LogRecord) -> str:
        return f"{self._scheduler.now:8.3f} {self._scheduler.speaker:20} {super().format(record)}"


if __name__ == "__main__":
    sys.exit(main())
