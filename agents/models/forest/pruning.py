"""Trees without the branches that look at a column that is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.models.columns import Columns

LEAF, GONE = -1, -2
"""In place of the column that a branch looks at: in leaves, and where it is gone."""


def places(columns: Columns) -> NDArray[np.int32]:
    """Return where each known column is in a model, `GONE` or a place; the last one is `LEAF`."""
    known = len(columns.kept) + len(columns.gone)
    place = np.full(known + 1, GONE, np.int32)
    place[columns.kept] = np.arange(len(columns.kept))
    place[LEAF] = LEAF
    return place


def without_gone(
    columns: NDArray[np.int32], right: NDArray[np.int32], learned: NDArray[np.float64]
) -> tuple[list[int], NDArray[np.int32]]:
    """Return a tree without the branches that look at a column that is gone.

    Parameters
    ----------
    columns
        That the branches look at, `LEAF` in leaves, `GONE` in those that make way, shape (N,).
    right
        Numbers of the right children, shape (N,).
    learned
        What the leaves below each node have learned: the child that has more takes the place of
        a branch that makes way, shape (N,).

    Returns
    -------
    list, i4[M]
        The numbers of the nodes that stay, in preorder, and the numbers of their right children
        among these.
    """
    numbers: list[int] = []
    rights: list[int] = []

    def visit(number: int) -> None:
        while columns[number] == GONE:
            left, other = number + 1, int(right[number])
            number = other if learned[left] < learned[other] else left
        here = len(numbers)
        numbers.append(number)
        rights.append(0)
        if columns[number] != LEAF:
            visit(number + 1)
            rights[here] = len(numbers)
            visit(int(right[number]))

    visit(0)
    return numbers, np.array(rights, np.int32)
