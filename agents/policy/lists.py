"""The named lists: what is on them at the time of a charge, and what was."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np

from agents.policy.periods import Periods
from agents.rules.attributes import folded
from agents.rules.literals import number_in
from schemas.addresses import range_of
from schemas.lists import ListEntry, Removed, periods_of
from streams.events.rows import hash_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from agents.policy.periods import Row
    from agents.rules.columns import Kind
    from schemas.addresses import AddressRange

    Change = ListEntry | Removed
    Range = tuple[int, bool]

_IPV6_FROM: Final = np.uint64(1 << 32)

_AT_ONCE: Final = 20_000
"""Entries whose rows are made at a time: as objects they take many times what they take later."""


class NamedList:
    """One list. Of an entry only hashes, numbers and times are kept, 32 bytes a row.

    Every entry is a text. Where it can be, it is also one in the case of an attribute, a number,
    and a range of addresses; the hash of the text tells in all of these which entry it is.

    Attributes
    ----------
    size
        How many entries it has.
    """

    def __init__(self) -> None:
        self.size = 0
        self._texts = Periods(np.uint64)
        self._in_one_case = Periods(np.uint64)
        self._numbers = Periods(np.float64)
        self._periods: dict[Kind, Periods] = {
            "text": self._texts,
            "one_case": self._in_one_case,
            "number": self._numbers,
        }
        self._ranges: dict[Range, Periods] = {}

    def contains(
        self,
        values: NDArray[np.float64] | NDArray[np.uint64],
        times: NDArray[np.float64],
        kind: Kind,
    ) -> NDArray[np.bool_]:
        """See `agents.rules.columns.MemberList.contains`."""
        if kind == "address":
            return self._contains_addresses(values.astype(np.uint64, copy=False), times)
        return self._periods[kind].contains(values, times)

    def take(self, changes: Mapping[str, Change]) -> None:
        """Put entries in the place of those that there are, and take others off.

        Parameters
        ----------
        changes
            By their values.
        """
        entries = {value: hash_of(value) for value in changes}
        self._take_texts(changes, entries)
        one_case = [(entries[v], text, v) for v in changes for text in sorted(folded(v))]
        self._replace(
            self._in_one_case, [(e, hash_of(text), v) for e, text, v in one_case], changes
        )
        numbers = [(entries[v], n, v) for v in changes if (n := number_in(v)) is not None]
        self._replace(self._numbers, numbers, changes)
        self._take_ranges(changes, entries)

    def _take_texts(self, changes: Mapping[str, Change], entries: Mapping[str, int]) -> None:
        hashes = list(entries.values())
        was_there = self._texts.forget(hashes, hashes)
        self._texts.add(_rows([(each, each, value) for value, each in entries.items()], changes))
        now = sum(isinstance(change, ListEntry) for change in changes.values())
        self.size += now - int(was_there.sum())

    def _take_ranges(self, changes: Mapping[str, Change], entries: Mapping[str, int]) -> None:
        by_range: dict[Range, list[tuple[int, float, str]]] = {}
        for value in changes:
            found = _range_in(value)
            if found:
                of_range = by_range.setdefault((found.mask, found.is_ipv6), [])
                of_range.append((entries[value], found.number, value))
        for key, places in sorted(by_range.items()):
            self._replace(self._ranges.setdefault(key, Periods(np.uint64)), places, changes)

    def _replace(
        self,
        periods: Periods,
        places: Sequence[tuple[int, float, str]],
        changes: Mapping[str, Change],
    ) -> None:
        """Put the rows of entries in the place of those that they had."""
        if places:
            periods.forget([number for _, number, _ in places], [entry for entry, _, _ in places])
            periods.add(_rows(places, changes))

    def _contains_addresses(
        self, addresses: NDArray[np.uint64], times: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        is_on = np.zeros(len(addresses), np.bool_)
        if not self._ranges or not addresses.any():
            return is_on
        is_v6 = addresses >= _IPV6_FROM
        for (mask, of_v6), periods in self._ranges.items():
            of_range = periods.contains(addresses & np.uint64(mask), times)
            is_on |= of_range & (is_v6 == of_v6)
        is_on &= addresses != 0
        return is_on


class NamedLists(Mapping[str, NamedList]):
    """The lists by their names: those that have entries.

    They change only in `take`, which is called between two batches: all rules of a batch then see
    the same lists. What is on them does not depend on the order of entries of different values.

    Examples
    --------
    >>> lists = NamedLists()
    >>> lists.take([ListEntry(list="cards", value="tok_1", start=100.0, at=90.0, version=1)])
    >>> hashes = np.array([hash_of("tok_1"), hash_of("tok_1")], np.uint64)
    >>> lists["cards"].contains(hashes, np.array([99.0, 100.0]), "text")
    array([False,  True])
    >>> lists.take([Removed("cards", "tok_1")])
    >>> len(lists)
    0
    """

    def __init__(self) -> None:
        self._lists: dict[str, NamedList] = {}

    def __getitem__(self, name: str) -> NamedList:
        return self._lists[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._lists))

    def __len__(self) -> int:
        return len(self._lists)

    def take(self, changes: Iterable[Change]) -> None:
        """Take entries, and what is taken off, in the order in which they were written.

        Parameters
        ----------
        changes
            As `schemas.lists.decode_list_change` returns them. Many at once cost far less than each
            by itself.
        """
        rest = iter(changes)
        while some := list(islice(rest, _AT_ONCE)):
            self._take(some)

    def _take(self, changes: Iterable[Change]) -> None:
        by_list: dict[str, dict[str, Change]] = {}
        for change in changes:
            by_list.setdefault(change.list, {})[change.value] = change
        for name, of_list in by_list.items():
            taken = self._lists.setdefault(name, NamedList())
            taken.take(of_list)
            if taken.size == 0:
                del self._lists[name]


def _rows(places: Iterable[tuple[int, float, str]], changes: Mapping[str, Change]) -> list[Row]:
    """Return the rows of entries: of each the hash, what is looked for, and its value."""
    return [
        (number, entry, start, until)
        for entry, number, value in places
        if isinstance(change := changes[value], ListEntry)
        for start, until in periods_of(change)
    ]


def _range_in(value: str) -> AddressRange | None:
    """Return the range that a value is, `None` also for one that no entry can have."""
    try:
        return range_of(value)
    except ValueError:
        return None
