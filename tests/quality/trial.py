"""What candidates are tried on: a recording, and the periods that count."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from streams.simulator import Simulation
from tests.quality.measures import Period
from tests.quality.sources import of_files, of_simulation

if TYPE_CHECKING:
    from pathlib import Path

    from tests.quality.recording import Recording

HORIZON_DAYS = 30.0
"""The product's own; the simulator's disputes come after a median of 17 days."""

_START, _HELD_OUT = 0.6, 0.8


@dataclass(frozen=True, slots=True)
class Trial:
    """A recording under a name, and the periods over which scores are measured."""

    name: str
    recording: Recording
    periods: tuple[Period, ...]

    @property
    def start(self) -> float:
        """The first time that counts, Unix seconds."""
        return min(period.start for period in self.periods)

    @property
    def facts(self) -> str:
        """What there is, in a line."""
        recording = self.recording
        return (
            f"{self.name}: {len(recording.created):,} charges, {recording.fraud.sum():,} of them "
            f"disputed as fraud, {len(recording.examples):,} examples"
        )


def simulated(seed: int, kept_in: Path, days: int = 60, charges_per_day: float = 6_000.0) -> Trial:
    """Return a trial on the simulator's charges."""
    simulation = Simulation(seed=seed, days=days, charges_per_day=charges_per_day)
    recording = of_simulation(simulation, HORIZON_DAYS, kept_in)
    return _trial(f"simulator, seed {seed}", recording, None, None)


def given(
    charges: Path,
    disputes: Path,
    horizon_days: float,
    kept_in: Path,
    start: float | None,
    held_out_from: float | None,
) -> Trial:
    """Return a trial on files."""
    recording = of_files(charges, disputes, horizon_days, kept_in)
    return _trial("files", recording, start, held_out_from)


def _trial(
    name: str, recording: Recording, start: float | None, held_out_from: float | None
) -> Trial:
    """Divide what counts: by default the last two fifths, of them the later half held out."""
    first, last = recording.created[0], recording.created[-1]
    start = float(first + _START * (last - first)) if start is None else start
    held_out = float(first + _HELD_OUT * (last - first)) if held_out_from is None else held_out_from
    return Trial(
        name,
        recording,
        (
            Period("all", start, inf),
            Period("tuned on", start, held_out),
            Period("held out", held_out, inf),
        ),
    )
