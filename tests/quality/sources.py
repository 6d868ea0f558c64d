"""Where events come from: files that are given, or the simulator; each is recorded only once."""

from __future__ import annotations

import tempfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from streams.events.files import write_events
from streams.wire.examples import EXAMPLE_LAYOUT
from tests.quality.recording import Recording, record

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.simulator import Simulation


def of_files(charges: Path, disputes: Path, horizon_days: float, kept_in: Path) -> Recording:
    """Return the recording of two files, from `kept_in` if it is there."""
    files = [(str(file.resolve()), file.stat().st_mtime_ns) for file in (charges, disputes)]
    return _kept(
        kept_in, repr((files, horizon_days)), lambda: record(charges, disputes, horizon_days)
    )


def of_simulation(simulation: Simulation, horizon_days: float, kept_in: Path) -> Recording:
    """Return the recording of a simulation, from `kept_in` if it is there."""
    return _kept(
        kept_in, repr((simulation, horizon_days)), lambda: _simulated(simulation, horizon_days)
    )


def write_simulation(simulation: Simulation, directory: Path) -> tuple[Path, Path]:
    """Write the charges and the disputes of a simulation to files."""
    charges, disputes = (directory / f"{topic}.jsonl" for topic in ("charges", "disputes"))
    for file in (charges, disputes):
        events = (event for event in simulation.events() if event.topic == file.stem)
        write_events(file, (orjson.dumps(event.value) for event in events))
    return charges, disputes


def _simulated(simulation: Simulation, horizon_days: float) -> Recording:
    with tempfile.TemporaryDirectory(prefix="chargewatch-quality-") as directory:
        return record(*write_simulation(simulation, Path(directory)), horizon_days)


def _kept(kept_in: Path, of: str, make: Callable[[], Recording]) -> Recording:
    """Return what was recorded of the same before, if vectors had the same layout."""
    path = (
        kept_in
        / f"recording-{sha256(f'{of}{EXAMPLE_LAYOUT.layout.number}'.encode()).hexdigest()[:12]}.npz"
    )
    if not path.exists():
        recording = make()
        kept_in.mkdir(parents=True, exist_ok=True)
        recording.save(path)
    return Recording.load(path)
