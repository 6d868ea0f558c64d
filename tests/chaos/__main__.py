"""`python -m tests.chaos`: a chaos run of any length; see `--help`."""

import logging
import secrets
import signal
import sys
from pathlib import Path

import click

from tests.chaos.run import Plan, run


@click.command(epilog="Example: python -m tests.chaos --minutes 30 --faults 100 --seed 7")
@click.option("--seed", type=int, help="Repeats the traffic and the faults of a run.")
@click.option("--minutes", default=30.0, show_default=True, help="How long faults are made.")
@click.option("--faults", default=100, show_default=True, help="How many are made at least.")
@click.option("--rate", default=60.0, show_default=True, help="Inputs a second.")
@click.option("--partitions", default=6, show_default=True)
@click.option("--workers", default=3, show_default=True)
@click.option("--brokers", default=1, show_default=True, help="Several have TLS and access lists.")
@click.option("--only", multiple=True, help="Makes only faults of this kind; may be repeated.")
@click.option("--at-least-once", is_flag=True, help="Without transactions.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Where the report and the workers' logs are written.  [default: chaos-SEED]",
)
def main(
    seed: int | None,
    minutes: float,
    faults: int,
    rate: float,
    partitions: int,
    workers: int,
    brokers: int,
    only: tuple[str, ...],
    at_least_once: bool,
    out: Path | None,
) -> None:
    """Kill, suspend, starve and tear workers and brokers, and verify every input afterwards."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and so end what was started
    plan = Plan(
        seed=secrets.randbelow(1 << 32) if seed is None else seed,
        seconds=minutes * 60,
        faults=faults,
        rate=rate,
        partitions=partitions,
        workers=workers,
        brokers=brokers,
        kinds=only,
        guarantee="at_least_once" if at_least_once else "exactly_once",
    )
    click.echo(f"seed {plan.seed}")
    out = out or Path(f"chaos-{plan.seed}")
    report = run(plan, out)
    click.echo(str(report))
    (out / "report.json").write_text(report.json(), encoding="utf-8")
    sys.exit(0 if report.is_good else 1)


if __name__ == "__main__":
    main()
