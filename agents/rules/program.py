"""Conditions compiled for whole batches: each thing that several rules ask is computed once.

A condition is two masks over a batch, where it is true and where it is false; where it is neither,
something is missing (Kleene 1938, "On notation for ordinal numbers", the strong tables). Then

    not a      true where a is false, false where a is true
    a and b    true where both are true, false where either is false
    a or b     not (not a and not b)

so a negation is the two masks exchanged, and costs nothing, and conditions are joined by `and`
alone. All masks are rows of one matrix::

    | true of node 0 | ... | true of node M-1 | false of node 0 | ... | false of node M-1 |

and a literal, a node or its negation, is the number of a row. Nodes of one kind lie side by side
and are computed in a few calls, whatever their number: comparisons first, then the conjunctions,
level by level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import numpy as np

from agents.rules.leaves import Batch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from agents.rules.columns import Columns, MemberList
    from agents.rules.leaves import Leaf

    Indices = NDArray[np.intp]

_BLOCK = 256
"""Charges that are compared at a time: of more, what is compared would not stay in the cache."""

Scalar = TypeVar("Scalar", bound=np.generic)


class Inputs(NamedTuple):
    """Rows that are asked for, and by which keys."""

    rows: Indices
    keys: Sequence[str]


@dataclass(frozen=True, slots=True)
class Constants(Generic[Scalar]):
    """Rows that are constants; `values` has the shape (rows, 1)."""

    rows: Indices
    values: NDArray[Scalar]


class Step(NamedTuple):
    """A row that is computed of two others; `operator` is one of `+`, `-`, `*`, `/`."""

    row: int
    operator: str
    left: int
    right: int


class Pairs(NamedTuple):
    """Rows that are compared, the n-th with the n-th."""

    left: Indices
    right: Indices

    def of(self, rows: NDArray[Scalar]) -> tuple[NDArray[Scalar], NDArray[Scalar]]:
        """Return them, shape (pairs, N) each."""
        return rows.take(self.left, 0), rows.take(self.right, 0)


class Level(NamedTuple):
    """Conjunctions of what is computed before, those of most literals first.

    `literals` has the first of each, the second of each that has a second, and so on, and
    `opposites` the negations.
    """

    literals: Sequence[Indices]
    opposites: Sequence[Indices]


@dataclass(frozen=True, slots=True)
class Program:
    """Conditions in the order in which they are computed.

    Attributes
    ----------
    rows, numbers, booleans, constants, steps
        Of the numbers: how many rows there are, and what is in each. A step comes after those that
        it is computed of.
    text_rows, texts, text_constants
        Of the hashes of texts.
    below, equal
        Rows of numbers of which the first is below the second; which are equal.
    same
        Rows of hashes that are equal.
    leaves
        Conditions of other kinds.
    levels
        Conjunctions.
    matched
        The literal of each condition that is wanted.
    size
        How many nodes there are. The first is what is always true.
    """

    rows: int
    numbers: Inputs
    booleans: Inputs
    constants: Constants[np.float64]
    steps: Sequence[Step]
    text_rows: int
    texts: Inputs
    text_constants: Constants[np.uint64]
    below: Pairs
    equal: Pairs
    same: Pairs
    leaves: Sequence[Leaf]
    levels: Sequence[Level]
    matched: Indices
    size: int

    def run(self, columns: Columns, lists: Mapping[str, MemberList]) -> NDArray[np.bool_]:
        """Return where each condition is true, shape (conditions, N)."""
        masks = np.empty((2 * self.size, len(columns)), np.bool_)
        is_true, is_false = masks[: self.size], masks[self.size :]
        with np.errstate(all="ignore"):  # what comes of it is missing, or infinite
            batch = Batch(self._numbers(columns), self._hashes(columns), columns, lists)
            for start in range(0, len(columns), _BLOCK):
                block = slice(start, start + _BLOCK)
                self._compare(
                    batch.numbers[:, block],
                    batch.hashes[:, block],
                    is_true[:, block],
                    is_false[:, block],
                )
        end = 1 + len(self.below.left) + len(self.equal.left) + len(self.same.left)
        for leaf in self.leaves:
            is_true[end], is_false[end] = leaf.masks(batch)
            end += 1
        for literals, opposites in self.levels:
            begin, end = end, end + len(literals[0])
            _join(np.logical_and, masks, literals, is_true[begin:end])
            _join(np.logical_or, masks, opposites, is_false[begin:end])
        return masks.take(self.matched, 0)

    def _numbers(self, columns: Columns) -> NDArray[np.float64]:
        numbers = np.empty((self.rows, len(columns)))
        numbers[self.numbers.rows] = columns.numbers(self.numbers.keys)
        numbers[self.booleans.rows] = columns.booleans(self.booleans.keys)
        numbers[self.constants.rows] = self.constants.values
        for row, operator, left, right in self.steps:
            _compute(operator, numbers[left], numbers[right], numbers[row])
        return numbers

    def _hashes(self, columns: Columns) -> NDArray[np.uint64]:
        hashes = np.empty((self.text_rows, len(columns)), np.uint64)
        hashes[self.texts.rows] = columns.hashes(self.texts.keys)
        hashes[self.text_constants.rows] = self.text_constants.values
        return hashes

    def _compare(
        self,
        numbers: NDArray[np.float64],
        hashes: NDArray[np.uint64],
        is_true: NDArray[np.bool_],
        is_false: NDArray[np.bool_],
    ) -> None:
        """Write the masks of all comparisons of some charges, and of what is always true."""
        is_true[0], is_false[0] = True, False
        begin, end = 1, 1 + len(self.below.left)
        left, right = self.below.of(numbers)
        np.less(left, right, out=is_true[begin:end])
        np.greater_equal(left, right, out=is_false[begin:end])
        begin, end = end, end + len(self.equal.left)
        left, right = self.equal.of(numbers)
        np.equal(left, right, out=is_true[begin:end])
        np.logical_or(left < right, left > right, out=is_false[begin:end])
        begin, end = end, end + len(self.same.left)
        one, other = self.same.of(hashes)
        is_known = (one != 0) & (other != 0)
        np.logical_and(one == other, is_known, out=is_true[begin:end])
        np.logical_and(one != other, is_known, out=is_false[begin:end])


def _join(
    join: np.ufunc, masks: NDArray[np.bool_], literals: Sequence[Indices], out: NDArray[np.bool_]
) -> None:
    """Join the masks of each node's literals: the first of all nodes, then the second, and on."""
    first, *others = literals
    out[:] = masks.take(first, 0)
    for places in others:
        joined = out[: len(places)]
        join(joined, masks.take(places, 0), out=joined)


def _compute(
    operator: str,
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Compute a row; a division by zero is missing."""
    match operator:
        case "+":
            np.add(left, right, out=out)
        case "-":
            np.subtract(left, right, out=out)
        case "*":
            np.multiply(left, right, out=out)
        case _:
            out.fill(np.nan)
            np.divide(left, right, out=out, where=right != 0.0)
