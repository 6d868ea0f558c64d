"""Conditions that are computed one by one: lists, patterns, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from agents.rules.patterns import Pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from agents.rules.columns import Columns, Kind, MemberList

    Masks = tuple[NDArray[np.bool_], NDArray[np.bool_]]


class Batch(NamedTuple):
    """What conditions are computed of.

    Attributes
    ----------
    numbers
        Numbers, and booleans as 1 and 0, one a row, f8[.., N], NaN where missing.
    hashes
        Texts, one a row, u8[.., N], 0 where missing.
    columns, lists
        What else there is to ask.
    """

    numbers: NDArray[np.float64]
    hashes: NDArray[np.uint64]
    columns: Columns
    lists: Mapping[str, MemberList]


class Leaf(Protocol):
    """A condition without others in it; equal to another that is the same."""

    def masks(self, batch: Batch) -> Masks:
        """Return where it is true and where it is false, bool[N] each."""

    def __hash__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Column:
    """A row of `Batch.numbers`, or of `Batch.hashes` if it is a text."""

    row: int
    is_text: bool

    def of(self, batch: Batch) -> tuple[NDArray[np.float64] | NDArray[np.uint64], Masks]:
        """Return its values, and where it is missing and where it is not."""
        if self.is_text:
            hashes = batch.hashes[self.row]
            return hashes, (hashes == 0, hashes != 0)
        numbers = batch.numbers[self.row]
        is_missing = np.isnan(numbers)
        return numbers, (is_missing, ~is_missing)


@dataclass(frozen=True, slots=True)
class IsAmong:
    """Whether a value is one of some constants; these in order."""

    column: Column
    constants: tuple[float, ...] | tuple[int, ...]
    _table: NDArray[np.float64] | NDArray[np.uint64] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        # The last one again: what is above them all is found there, and is another.
        padded = [*self.constants, self.constants[-1]]
        dtype = np.uint64 if self.column.is_text else np.float64
        object.__setattr__(self, "_table", np.array(padded, dtype))

    def masks(self, batch: Batch) -> Masks:
        """See `Leaf.masks`."""
        values, (_, is_known) = self.column.of(batch)
        places = self._table[:-1].searchsorted(values)
        is_one = self._table[places] == values
        return is_one & is_known, ~is_one & is_known


@dataclass(frozen=True, slots=True)
class IsListed:
    """Whether a value is on a named list.

    Attributes
    ----------
    columns
        The value; one of any type has two, of which one at most is known.
    name
        Of the list.
    has_one_case
        Whether its texts are all in one case.
    has_address
        Whether it is the IP address, if that is known.
    """

    columns: tuple[Column, ...]
    name: str
    has_one_case: bool = False
    has_address: bool = False

    def masks(self, batch: Batch) -> Masks:
        """See `Leaf.masks`."""
        size = len(batch.columns)
        is_on, is_known = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
        members = batch.lists.get(self.name)
        for column in self.columns:
            values, (_, is_there) = column.of(batch)
            is_known |= is_there
            if members is not None:
                found = members.contains(values, batch.columns.times, self._kind(column))
                is_on |= found & is_there
        if self.has_address and members is not None:
            addresses, times = batch.columns.addresses, batch.columns.times
            is_on |= members.contains(addresses, times, "address") & is_known
        return is_on, ~is_on & is_known

    def _kind(self, column: Column) -> Kind:
        if not column.is_text:
            return "number"
        return "one_case" if self.has_one_case else "text"


@dataclass(frozen=True, slots=True)
class IsLike:
    """Whether a text has a pattern."""

    key: str
    pattern: str
    _pattern: Pattern = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_pattern", Pattern(self.pattern))

    def masks(self, batch: Batch) -> Masks:
        """See `Leaf.masks`."""
        texts = batch.columns.texts(self.key)
        found = {text: self._pattern.matches(text) for text in set(texts) if text is not None}
        is_known = np.array([text is not None for text in texts], np.bool_)
        is_like = np.array([text is not None and found[text] for text in texts], np.bool_)
        return is_like, ~is_like & is_known


@dataclass(frozen=True, slots=True)
class IsMissing:
    """Whether a value is missing: all of its columns are, of which one of any type has three."""

    columns: tuple[Column, ...]

    def masks(self, batch: Batch) -> Masks:
        """See `Leaf.masks`."""
        first, *others = (column.of(batch)[1][0] for column in self.columns)
        for other in others:
            first = first & other
        return first, ~first


@dataclass(frozen=True, slots=True)
class AreAlike:
    """Whether two values of any type are the same; neither if their types differ."""

    pairs: tuple[tuple[Column, Column], ...]

    def masks(self, batch: Batch) -> Masks:
        """See `Leaf.masks`."""
        size = len(batch.columns)
        is_true, is_false = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
        for one, other in self.pairs:
            left, (_, is_left) = one.of(batch)
            right, (_, is_right) = other.of(batch)
            is_known = is_left & is_right
            is_true |= (left == right) & is_known
            is_false |= (left != right) & is_known
        return is_true, is_false
