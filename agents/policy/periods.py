"""When values are on a list: rows of numbers, sorted by what is looked for.

A row is a value, the entry it comes from, and when the value is on the list. An entry may make
several rows, one for each period; several entries may make rows of one value, as "7" and "7.0" are
one number. Rows are in two tables: most in a large one, which is only rarely written again, and
those of recent changes in a small one. In the large one the rows of an entry that has changed since
stay, with a period that never is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Values = NDArray[Any]
    Entries = NDArray[np.uint64]
    Times = NDArray[np.float64]

_RECENT_MIN: Final = 4096
"""Rows of recent changes that there may be in any case."""

_RECENT_SHARE: Final = 16
"""Of the rows in the large table, one in so many may be recent changes."""

_SORTED_FROM: Final = 128
"""As many values are looked up in order: what one reads is then in the cache for the next."""


Row = tuple[float, int, float, float]
"""A value, the entry it comes from, and from when on and until when it is on the list."""


class _Table:
    """Rows in the order of their values."""

    def __init__(self, values: Values, entries: Entries, starts: Times, untils: Times) -> None:
        self._values = values
        self._entries = entries
        self._starts = starts
        self._untils = untils

    def __len__(self) -> int:
        return len(self._values)

    def contains(self, values: Values, times: Times) -> NDArray[np.bool_]:
        is_on = np.zeros(len(values), np.bool_)
        asked, places = self._first(values)
        while len(asked):
            at = times[asked]
            is_on[asked] |= (self._starts[places] <= at) & (at < self._untils[places])
            asked, places = self._next(values, asked, places)
        return is_on

    def forget(self, values: Values, entries: Entries) -> NDArray[np.bool_]:
        """Let rows be of no time; return which values had any, of which entry."""
        found = np.zeros(len(values), np.bool_)
        asked, places = self._first(values)
        while len(asked):
            is_one = (self._entries[places] == entries[asked]) & (self._untils[places] > -np.inf)
            found[asked] |= is_one
            self._untils[places[is_one]] = -np.inf
            asked, places = self._next(values, asked, places)
        return found

    def without_forgotten(self) -> _Table:
        return self._chosen(self._untils > -np.inf)

    def with_rows(self, other: _Table) -> _Table:
        """Return the rows of both; the other's come behind its own of the same value."""
        places = self._values.searchsorted(other._values, "right")
        return _Table(
            np.insert(self._values, places, other._values),
            np.insert(self._entries, places, other._entries),
            np.insert(self._starts, places, other._starts),
            np.insert(self._untils, places, other._untils),
        )

    def _chosen(self, chosen: NDArray[np.bool_]) -> _Table:
        if chosen.all():
            return self
        return _Table(
            self._values[chosen],
            self._entries[chosen],
            self._starts[chosen],
            self._untils[chosen],
        )

    def _first(self, values: Values) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return which values there are rows of, and the place of the first of each."""
        places = self._values.searchsorted(values)
        asked = np.flatnonzero(self._values.take(places, mode="clip") == values)
        # What is above all values would be taken for the last one, and is another.
        return asked, places[asked]

    def _next(
        self, values: Values, asked: NDArray[np.intp], places: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return those of which there is another row behind, and its place."""
        places = places + 1
        has_one = places < len(self._values)
        has_one &= self._values.take(places, mode="clip") == values[asked]
        return asked[has_one], places[has_one]


class Periods:
    """Rows that are looked up for whole batches, and that change between them.

    Parameters
    ----------
    dtype
        Of what is looked for.

    Examples
    --------
    >>> periods = Periods(np.float64)
    >>> periods.add([(7.0, 1, 100.0, 200.0)])
    >>> periods.contains(np.array([7.0, 7.0, 8.0]), np.array([100.0, 200.0, 100.0]))
    array([ True, False, False])
    """

    def __init__(self, dtype: type[np.uint64 | np.float64]) -> None:
        self._dtype = dtype
        self._most = self._table([])
        self._recent = self._table([])

    def __len__(self) -> int:
        """Return how many rows there are, with those that are forgotten and still there."""
        return len(self._most) + len(self._recent)

    def contains(self, values: Values, times: Times) -> NDArray[np.bool_]:
        """Return which values are on the list at which time, bool[N].

        Parameters
        ----------
        values
            [N]; NaN is on none.
        times
            Unix seconds, f8[N].
        """
        if len(values) < _SORTED_FROM:
            return self._contains(values, times)
        order = values.argsort()
        is_on = np.empty(len(values), np.bool_)
        is_on[order] = self._contains(values[order], times[order])
        return is_on

    def _contains(self, values: Values, times: Times) -> NDArray[np.bool_]:
        is_on = np.zeros(len(values), np.bool_)
        for table in (self._most, self._recent):
            if len(table):
                is_on |= table.contains(values, times)
        return is_on

    def forget(self, values: Sequence[float], entries: Sequence[int]) -> NDArray[np.bool_]:
        """Take off the rows of some values that come from some entries, N each.

        Returns
        -------
        bool[N]
            Whether there were any.
        """
        of_values, of_entries = np.array(values, self._dtype), np.array(entries, np.uint64)
        found = np.zeros(len(of_values), np.bool_)
        if len(self._most):
            found |= self._most.forget(of_values, of_entries)
        if len(self._recent):
            found |= self._recent.forget(of_values, of_entries)
            # Else an entry that changes often would leave many rows of one value.
            self._recent = self._recent.without_forgotten()
        return found

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows, in whatever order."""
        if not rows:
            return
        self._recent = self._recent.with_rows(self._table(rows))
        if len(self._recent) > max(_RECENT_MIN, len(self._most) // _RECENT_SHARE):
            self._most = self._most.without_forgotten().with_rows(self._recent)
            self._recent = self._table([])

    def _table(self, rows: Sequence[Row]) -> _Table:
        columns = list(zip(*rows, strict=True)) or [()] * 4
        values = np.array(columns[0], self._dtype)
        order = values.argsort(kind="stable")
        return _Table(
            values[order],
            np.array(columns[1], np.uint64)[order],
            np.array(columns[2], np.float64)[order],
            np.array(columns[3], np.float64)[order],
        )
