"""`python -m tests.quality`: how good the models are, in one run; see `--help`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agents.settings.schema import Settings
from agents.terminal.times import Time
from tests.quality.ablation import ablation
from tests.quality.candidates import candidates
from tests.quality.closed_loop import read_events, simulated_events
from tests.quality.drift import drifts
from tests.quality.findings import Findings, machine
from tests.quality.loop import loops
from tests.quality.signal_stream import SignalStream
from tests.quality.signals import signal_gains
from tests.quality.trial import HORIZON_DAYS, given, simulated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.quality.trial import Trial

PARTS = ("candidates", "ablation", "signals", "drift", "loop")
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)

say = partial(click.echo, err=True)


@click.command(
    epilog="Example: python -m tests.quality candidates --charges charges.parquet --disputes "
    "disputes.parquet --label-horizon 7 --from 2018-05-15 --held-out-from 2018-06-08"
)
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option("--charges", type=_FILE, help="By default the simulator's.")
@click.option("--disputes", type=_FILE)
@click.option(
    "--label-horizon",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    metavar="DAYS",
    help="Of the files: a charge not disputed for so long counts as genuine.",
)
@click.option("--from", "start", type=Time(), help="First time that counts; by default at 60%.")
@click.option(
    "--held-out-from", type=Time(), help="First time nothing was tuned on; by default at 80%."
)
@click.option(
    "--seed",
    "seeds",
    multiple=True,
    default=(1, 2),
    show_default=True,
    help="Of the simulator and the candidates; `candidates` and `loop` take the first only.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/quality"),
    show_default=True,
    help="For tables and recordings; delete these when features have changed.",
)
def main(
    parts: Sequence[str],
    *,
    charges: Path | None,
    disputes: Path | None,
    label_horizon: float,
    start: float | None,
    held_out_from: float | None,
    seeds: Sequence[int],
    out: Path,
) -> None:
    """Compare candidate models, features left out, signals, a frozen model, and loops.

    Drift always takes the simulator, where fraud changes when it is told to; signals a stream of
    their own. The loops take 90 days
    of it if there are no files.
    """
    if (charges is None) != (disputes is None):
        raise click.UsageError("--charges and --disputes: expected both or neither")

    def trials() -> Iterator[Trial]:
        if charges is not None and disputes is not None:
            yield given(charges, disputes, label_horizon, out, start, held_out_from)
        else:
            for seed in seeds:
                say(f"simulator, seed {seed}: the stages")
                yield simulated(seed, out)

    say(machine())
    for part in parts or PARTS:
        if part == "candidates":
            found = candidates(next(trials()), seeds[0], say)
        elif part == "ablation":
            found = ablation(trials(), say)
        elif part == "signals":
            found = signal_gains([SignalStream(seed) for seed in seeds], say)
        elif part == "loop":
            found = _loops(charges, disputes, label_horizon, start, seeds[0])
        else:
            found = drifts(seeds, out, say)
        _finish(found, out)


def _loops(
    charges: Path | None,
    disputes: Path | None,
    label_horizon: float,
    start: float | None,
    seed: int,
) -> Findings:
    if charges is not None and disputes is not None:
        name, events = "files", read_events(charges, disputes, start)
    else:
        name, label_horizon = f"simulator, seed {seed}", HORIZON_DAYS
        events = simulated_events(seed)
    return loops(name, events, Settings(label_horizon_days=label_horizon), seed, say)


def _finish(found: Findings, out: Path) -> None:
    click.echo(found.markdown())
    found.write(out)


if __name__ == "__main__":
    main()
