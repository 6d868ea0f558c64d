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
    from agents.rules.nodes import Type

    Indices = NDArray[np.intp]

Scalar = TypeVar("Scalar", bound=np.generic)


class Input(NamedTuple):
    """A row that is asked for."""

    row: int
    kind: Type
    key: str


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
    """Conjunctions of what is computed before: their literals one after the other.

    `opposites` are the negations of `literals`, and `starts` tells where each conjunction begins.
    """

    literals: Indices
    opposites: Indices
    starts: Indices


@dataclass(frozen=True, slots=True)
class Program:
    """Conditions in the order in which they are computed.

    Attributes
    ----------
    rows, inputs, constants, steps
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
    inputs: Sequence[Input]
    constants: Constants[np.float64]
    steps: Sequence[Step]
    text_rows: int
    texts: Sequence[Input]
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
        with np.errstate(all="ignore"):  # what comes of it is missing, or infinite
            batch = Batch(self._numbers(columns), self._hashes(columns), columns, lists)
            end = self._compare(batch, masks)
        for leaf in self.leaves:
            masks[end], masks[self.size + end] = leaf.masks(batch)
            end += 1
        for literals, opposites, starts in self.levels:
            stop = end + len(starts)
            np.logical_and.reduceat(masks.take(literals, 0), starts, 0, out=masks[end:stop])
            np.logical_or.reduceat(
                masks.take(opposites, 0), starts, 0, out=masks[self.size + end : self.size + stop]
            )
            end = stop
        return masks.take(self.matched, 0)

    def _numbers(self, columns: Columns) -> NDArray[np.float64]:
        numbers = np.empty((self.rows, len(columns)))
        for row, kind, key in self.inputs:
            numbers[row] = columns.numbers(key) if kind == "number" else columns.booleans(key)
        numbers[self.constants.rows] = self.constants.values
        for row, operator, left, right in self.steps:
            _compute(operator, numbers[left], numbers[right], numbers[row])
        return numbers

    def _hashes(self, columns: Columns) -> NDArray[np.uint64]:
        hashes = np.empty((self.text_rows, len(columns)), np.uint64)
        for row, _, key in self.texts:
            hashes[row] = columns.hashes(key)
        hashes[self.text_constants.rows] = self.text_constants.values
        return hashes

    def _compare(self, batch: Batch, masks: NDArray[np.bool_]) -> int:
        """Write the masks of all comparisons, and return how many nodes there are so far."""
        is_true, is_false = masks[: self.size], masks[self.size :]
        is_true[0], is_false[0] = True, False
        begin, end = 1, 1 + len(self.below.left)
        left, right = self.below.of(batch.numbers)
        np.less(left, right, out=is_true[begin:end])
        np.greater_equal(left, right, out=is_false[begin:end])
        begin, end = end, end + len(self.equal.left)
        left, right = self.equal.of(batch.numbers)
        np.equal(left, right, out=is_true[begin:end])
        np.logical_or(left < right, left > right, out=is_false[begin:end])
        begin, end = end, end + len(self.same.left)
        one, other = self.same.of(batch.hashes)
        is_known = (one != 0) & (other != 0)
        np.logical_and(one == other, is_known, out=is_true[begin:end])
        np.logical_and(one != other, is_known, out=is_false[begin:end])
        return end


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
