"""`python -m tests.upgrade`: upgrades of all kinds, several rounds of each; see `--help`."""

from __future__ import annotations

import logging
import secrets
import signal
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import click

from tests.integration.worker import compile_kernels
from tests.upgrade.checkout import BEFORE_LAYOUTS, HistoryError, checkout
from tests.upgrade.later_version import later_version
from tests.upgrade.rolling import Rolling, rolling
from tests.upgrade.stop_start import StopStart, stop_start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.findings import Findings


@click.command(epilog="Example: python -m tests.upgrade --rounds 5 --seed 7")
@click.option("--from", "revision", default=BEFORE_LAYOUTS, help="The version before.")
@click.option("--seed", type=int, help="Repeats the traffic of a run.")
@click.option("--rounds", default=3, show_default=True, help="How often all of it is done.")
@click.option("--charges", default=3000, show_default=True, help="Scored between two steps.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Where the workers' logs and states are.  [default: upgrade-SEED]",
)
def main(revision: str, seed: int | None, rounds: int, charges: int, out: Path | None) -> None:
    """Upgrade workers under load, with `kill -9`, and verify every input afterwards."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and so end what was started
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    click.echo(f"seed {seed}")
    out = (out or Path(f"upgrade-{seed}")).absolute()
    is_wrong = False
    with tempfile.TemporaryDirectory(prefix="chargewatch-upgrade-") as directory:
        try:
            before = checkout(revision, Path(directory) / "before")
        except HistoryError as error:
            raise click.ClickException(str(error)) from None
        later = later_version(Path(directory) / "later")
        for source in (before, later):
            compile_kernels(source)
        for number in range(rounds):
            for plan, findings in _round(number, seed, charges, before, later, out):
                click.echo(f"{plan}\n{findings}")
                is_wrong |= bool(findings)
    sys.exit(1 if is_wrong else 0)


def _round(
    number: int, seed: int, charges: int, before: Path, later: Path, out: Path
) -> Iterator[tuple[object, Findings]]:
    """Do all of it once: in each round another half of it with `kill -9`."""
    seeds = Random(f"{seed} {number}")
    for loses_state in (False, True):
        at_once = StopStart(
            seeds.randrange(1 << 32),
            charges,
            workers=3,
            partitions=6,
            kills=(number + loses_state) % 2 == 0,
            loses_state=loses_state,
        )
        yield at_once, stop_start(at_once, before, out / f"{number}-at-once-{loses_state}")
    for standbys in (0, 1):
        one_by_one = Rolling(
            seeds.randrange(1 << 32),
            charges // 5,
            partitions=6,
            standbys=standbys,
            rounds=2,
            kills=(number + standbys) % 2 == 0,
        )
        yield one_by_one, rolling(one_by_one, later, out / f"{number}-one-by-one-{standbys}")


if __name__ == "__main__":
    main()
