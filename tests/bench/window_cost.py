"""What windows cost a charge: the product's own kernels, compiled for more and fewer tiles."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from streams.features import windows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TILE_FACTORS = (1, 2, 4, 8)
"""How many times as many tiles as it has each window gets, of the same length: so many times as
long a window, or one as long and so many times as exact."""

_KERNELS = ("tile_of", "tiles_left", "clear_passed", "count_in_windows")
_RECORDS, _CHARGES = 4_000, 200_000
_APART_S = 3.0
_ROUNDS = 7
_SEED = 12


@dataclass(frozen=True)
class WindowCost:
    """The cost of all windows of one stage.

    Attributes
    ----------
    tiles
        Of all windows together.
    bytes
        That they take of a record.
    ns_per_charge
        To move them on, count the charge and sum them up; the least of some rounds.
    """

    tiles: int
    bytes: int
    ns_per_charge: float


def window_costs() -> list[WindowCost]:
    """Measure windows of some numbers of tiles, in this process."""
    return [_cost(factor) for factor in TILE_FACTORS]


def _cost(factor: int) -> WindowCost:
    slots = [slots * factor for slots in windows.SLOTS]
    run = _compiled_for(slots, [tiles * factor for tiles in windows.TILES])
    tiles = sum(slots)
    record = np.dtype([("counts", "u4", (tiles,)), ("sums", "f4", (tiles,))])
    rng = np.random.default_rng(_SEED)
    places = rng.integers(_RECORDS, size=_CHARGES)
    times = 1.8e9 + _APART_S * np.arange(_CHARGES)
    records, clocks = np.zeros(_RECORDS, record), np.full(_RECORDS, times[0])
    row = np.zeros(2 * windows.N_WINDOWS, np.float32)
    run(records["counts"], records["sums"], clocks, places[:1], times[:1], row)
    least = min(
        _seconds(run, np.zeros(_RECORDS, record), clocks.copy(), places, times, row)
        for _ in range(_ROUNDS)
    )
    return WindowCost(tiles, record.itemsize, 1e9 * least / _CHARGES)


def _seconds(
    run: Callable[..., None], records: Any, clocks: Any, places: Any, times: Any, row: Any
) -> float:
    began = time.process_time()
    run(records["counts"], records["sums"], clocks, places, times, row)
    return time.process_time() - began


def _compiled_for(slots: Sequence[int], tiles: Sequence[int]) -> Callable[..., None]:
    """Compile the kernels for rings of other lengths; they take these from their module."""
    ends = np.cumsum(slots).tolist()
    names: dict[str, Any] = {
        **vars(windows), "SLOTS": tuple(slots), "TILES": tuple(tiles), "OFFSETS": (0, *ends[:-1]),
    }  # fmt: skip
    for name in _KERNELS:
        code = getattr(windows, name).py_func.__code__
        names[name] = njit(nogil=True, error_model="numpy")(FunctionType(code, names))
    count = names["count_in_windows"]

    @njit(nogil=True, error_model="numpy")
    def run(counts: Any, sums: Any, clocks: Any, places: Any, times: Any, row: Any) -> None:
        for i in range(len(places)):
            place = places[i]
            time_s = times[i]
            count(counts[place], sums[place], clocks[place], time_s, time_s, 20.0, row)
            clocks[place] = time_s

    kernel: Callable[..., None] = run
    return kernel
