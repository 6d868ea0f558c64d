"""Windows against true sliding ones: never shorter than their names, longer by at most a tile."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.durations import DAY_S
from streams.features.windows import (
    AHEAD_S,
    N_WINDOWS,
    SLOTS,
    TILE_S,
    TILES,
    TOTAL_SLOTS,
    UINT16_MAX,
    UINT32_MAX,
    WINDOWS,
    Vector,
    add_to_maxima,
    advance_maxima,
    count_in_ring,
    count_in_windows,
    largest_in_window,
    tile_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LENGTH_S = {"10m": 600.0, "1h": 3600.0, "24h": DAY_S, "7d": 7 * DAY_S, "30d": 30 * DAY_S}
NAMED_ERROR = {"10m": 0.20, "1h": 0.17, "24h": 0.13, "7d": 0.15, "30d": 0.10}
"""By how much of its length each window may be longer, as its documentation has it."""


class Added(NamedTuple):
    """A charge as the windows see it."""

    created: float
    amount: float


class Windows:
    """The windows of one record."""

    def __init__(self) -> None:
        self.counts = np.zeros(TOTAL_SLOTS, np.uint32)
        self.sums = np.zeros(TOTAL_SLOTS, np.float32)
        self.clock = 0.0

    def add(self, charge: Added) -> Vector:
        row = np.zeros(2 * N_WINDOWS, np.float32)
        before, self.clock = self.clock, max(self.clock, charge.created)
        count_in_windows(self.counts, self.sums, before, self.clock, *charge, row)
        return row


def between(charges: Sequence[Added], begin: float, end: float) -> tuple[int, float]:
    """Count and add up what was made between two times."""
    inside = [charge.amount for charge in charges if begin <= charge.created <= end]
    return len(inside), sum(inside)


STEPS = [0.0, 0.5, 119.5, 120.0, 599.5, 600.0, 3600.0, 10_800.0, DAY_S, 3 * DAY_S, 31 * DAY_S]


@st.composite
def streams(draw: st.DrawFn) -> list[Added]:
    """Charges at the edges of tiles and between them, some of them late."""
    now, charges = draw(st.sampled_from([0.0, 1e5, 1_699_920_000.0])), []
    step = st.sampled_from(STEPS) | st.floats(0, 2 * DAY_S)
    for _ in range(draw(st.integers(1, 25))):
        now += draw(step)
        late = draw(st.just(0.0) | step)
        charges.append(Added(max(now - late, 0.0), draw(st.floats(0.01, 1e6))))
    return charges


@settings(max_examples=200, deadline=None)
@given(charges=streams())
def test_windows_are_sliding_to_within_a_tile(charges: list[Added]) -> None:
    """They end at the charge's own time, or with its tile; late ones may miss some, not itself."""
    windows = Windows()
    for number, charge in enumerate(charges, 1):
        row = windows.add(charge)
        for w, window in enumerate(WINDOWS):
            begin, end = charge.created - LENGTH_S[window.name], charge.created
            least = between(charges[:number], begin, end)
            most = between(charges[:number], begin - window.tile_s, end + window.tile_s)
            if windows.clock - charge.created > AHEAD_S:
                least = 1, charge.amount
            rounding = 1e-5 * most[1]
            assert least[0] <= row[w] <= most[0]
            assert least[1] - rounding <= row[N_WINDOWS + w] <= most[1] + rounding


def test_windows_err_no_more_than_documented() -> None:
    """Of charges at an even pace, a window counts those of its length and of the share named."""
    for w, window in enumerate(WINDOWS):
        assert window.tiles * window.tile_s == LENGTH_S[window.name]
        interval = window.tile_s / 50
        shares = [counted(w, interval, charges) for charges in range(600, 660)]
        assert min(shares) >= 1.0
        assert 1.0 + 0.9 * window.tile_s / LENGTH_S[window.name] < max(shares)
        assert max(shares) <= 1.0 + NAMED_ERROR[window.name] + 1e-9


def counted(window: int, interval: float, charges: int) -> float:
    """Return the length that a window covers, as a share of the one it is named after."""
    windows = Windows()
    for number in range(charges):
        row = windows.add(Added(1e9 + number * interval, 1.0))
    return float(row[window]) * interval / LENGTH_S[WINDOWS[window].name]


def test_late_charge_counts_in_the_windows_that_still_reach_it() -> None:
    """Two hours late, as many before the end of a tile of three: in its own and in later ones."""
    windows = Windows()
    now = 1_699_920_000.0 + 10_800.0 - 1.0
    windows.add(Added(now, 1.0))
    row = windows.add(Added(now - 7200.0, 10.0))
    assert row[:N_WINDOWS].tolist() == [1, 1, 2, 2, 2]
    assert row[N_WINDOWS:].tolist() == [10, 10, 11, 11, 11]
    assert windows.clock == now
    row = windows.add(Added(now, 100.0))
    assert row[:N_WINDOWS].tolist() == [2, 2, 3, 3, 3]
    assert row[N_WINDOWS:].tolist() == [101, 101, 111, 111, 111]


@pytest.mark.parametrize("ahead_s", [1.0, 600.0, 3300.0, AHEAD_S])
@pytest.mark.parametrize("start", [1_699_920_000.0, 1_699_920_119.5, 1_699_921_234.5])
def test_clock_ahead_empties_no_window(start: float, ahead_s: float) -> None:
    """A charge that is ahead, then 30 in two minutes: it counts when time is there, and not before.

    Windows are as those of the 30 alone, save that the charge is in the longer ones by their tile.
    """
    alone, windows = Windows(), Windows()
    windows.add(Added(start + ahead_s, 1000.0))
    for number in range(30):
        charge = Added(start + 4.0 * number, 1.0)
        expected, row = alone.add(charge), windows.add(charge)
        for w, tile_s in enumerate(TILE_S):
            is_in_tile = (start + ahead_s) // tile_s <= charge.created // tile_s
            assert row[w] == expected[w] + is_in_tile
            assert row[N_WINDOWS + w] == expected[N_WINDOWS + w] + 1000.0 * is_in_tile
    row = windows.add(Added(start + max(ahead_s, 120.0), 1.0))
    assert row[0] == 2 + (30 if ahead_s <= 600.0 else 0)
    assert row[1:N_WINDOWS].tolist() == [32] * 4


def test_counts_stop_at_the_largest() -> None:
    windows = Windows()
    windows.add(Added(1e9, 1.0))
    windows.counts[windows.counts > 0] = UINT32_MAX
    row = windows.add(Added(1e9, 1.0))
    np.testing.assert_array_equal(row[:N_WINDOWS], np.float32(UINT32_MAX))
    ring = np.full(SLOTS[0], UINT16_MAX, np.uint16)
    assert count_in_ring(ring, 0, 1e9, 1e9, 1e9, is_counted=True) == TILES[0] * UINT16_MAX


@pytest.mark.parametrize("w", range(N_WINDOWS))
@settings(max_examples=25, deadline=None)
@given(charges=streams(), every=st.integers(1, 3))
def test_a_ring_of_one_window_has_those_that_count(
    w: int, charges: list[Added], every: int
) -> None:
    """As the window's sum, if what counts is of amount 1 and the rest of 0."""
    windows, ring = Windows(), np.zeros(SLOTS[w], np.uint16)
    for number, charge in enumerate(charges):
        before, is_counted = windows.clock, number % every == 0
        row = windows.add(Added(charge.created, float(is_counted)))
        found = count_in_ring(ring, w, before, windows.clock, charge.created, is_counted)
        assert found == row[N_WINDOWS + w]


def rings(w: int, charges: Sequence[Added]) -> Iterator[tuple[float, float]]:
    """Yield the clock and the largest value of each charge's window, with itself."""
    maxima, clock = np.zeros(SLOTS[w], np.float32), 0.0
    for charge in charges:
        now = max(clock, charge.created)
        advance_maxima(maxima, w, clock, now)
        add_to_maxima(maxima, w, now, charge.created, charge.amount)
        clock = now
        yield clock, largest_in_window(maxima, w, clock, charge.created)


@pytest.mark.parametrize("w", range(N_WINDOWS))
@settings(max_examples=25, deadline=None)
@given(charges=streams())
def test_maxima_are_those_of_the_window(w: int, charges: list[Added]) -> None:
    window = WINDOWS[w]
    for number, (clock, largest) in enumerate(rings(w, charges), 1):
        end = charges[number - 1].created
        low, high = (
            max(
                (c.amount for c in charges[:number] if -late <= end - c.created <= length_s + late),
                default=0.0,
            )
            for length_s, late in (
                (LENGTH_S[window.name], 0.0),
                (LENGTH_S[window.name], window.tile_s),
            )
        )
        assert (np.float32(low) if clock - end <= AHEAD_S else 0.0) <= largest <= np.float32(high)


@pytest.mark.parametrize("tile_s", TILE_S)
@given(st.floats(0.0, 1e11), st.integers(0, 1))
def test_a_tile_is_that_of_the_exact_time(tile_s: float, time_s: float, before: int) -> None:
    """Also that of the last float before a tile begins."""
    start = float(time_s // tile_s * tile_s)
    for time in (time_s, float(np.nextafter(start, 0.0)) if before else start):
        assert tile_of(time, tile_s) == Fraction(time) // Fraction(tile_s)
