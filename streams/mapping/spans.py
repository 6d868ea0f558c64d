"""How long a file goes on: what its labels can be late by, where nothing tells when they came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pyarrow.parquet import read_metadata

from schemas.currency import bundled_rates
from streams.durations import DAY_S
from streams.events.files import time_in
from streams.events.packing import UNPACKING
from streams.mapping.making import Means
from streams.mapping.mapped_file import MappedFile
from streams.mapping.reading import read_mapping

if TYPE_CHECKING:
    from pathlib import Path

USUAL_DAYS: Final = 7.0
"""A dispute or an early warning comes about a week after its charge."""

_PARTS: Final = 8
"""A file that goes on for less than so many times the usual delay gets the part of its length:
models learn in it, and are still surprised."""

_ROWS: Final = 1000
_KEY: Final = b"nothing that is kept"
_PACKED: Final = 6.0
"""How much longer a compressed file of rows is about."""


def delay_of(path: Path, page: str) -> tuple[float, str]:
    """Return after how many days labels are taken to have come, and why.

    Parameters
    ----------
    path
        The file.
    page
        A mapping of its charges.
    """
    days = _days(path, page)
    if days >= _PARTS * USUAL_DAYS or days == 0.0:
        return USUAL_DAYS, "a week after the charge is a guess"
    delay = float(f"{days / _PARTS:.1g}")
    return delay, f"the file goes on for {days:.2g} days or so, and this is an eighth of it"


def _days(path: Path, page: str) -> float:
    """Return about how long a file goes on, by its first rows; 0 if that cannot be told."""
    mapping = read_mapping(page, path.name)
    charges = MappedFile(path, mapping, "charge", Means(bundled_rates().decimals, _KEY))
    times = [time_in(event) for event in charges.first(_ROWS)]
    known = [time for time in times if 0.0 < time < float("inf")]
    if len(known) < 2:
        return 0.0
    span_s = max(known) - min(known)
    return span_s / DAY_S * max(1.0, _rows(path) / len(times))


def _rows(path: Path) -> float:
    """Return about how many rows a file has."""
    if path.suffix == ".parquet":
        return float(read_metadata(path).num_rows)
    packed = path.suffix if path.suffix in UNPACKING else ""
    with path.open("rb") as file:
        beginning = next(UNPACKING[packed](file), b"")
    size = path.stat().st_size * (_PACKED if packed else 1.0)
    return size * beginning.count(b"\n") / max(1, len(beginning))
