"""A task's store with millions of cards, filled through the product's own code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.features.card_record import CARD
from streams.state.tables import TaskState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.state.store import Store

_WRITTEN_AT_ONCE = 10_000
_SEED = 11

REWRITTEN_SHARE = 0.15
"""Of the cards, written once more in random order, so that the levels of the database are filled
as in life, and what is measured afterwards pays for their compaction."""


def card_key(number: int) -> bytes:
    """Return the key of a card."""
    return b"card_%012d" % number


def sample(store: Store) -> list[bytes]:
    """Return the card records that a store holds."""
    return [value for _, value in TaskState(store).entities["card"].scan(b"", b"\xff")]


def fill(store: Store, samples: Sequence[bytes], cards: int) -> None:
    """Give so many cards a record each, as the commits of a worker would.

    The offset that the store stands for stays, so the worker whose store it is goes on from there.

    Parameters
    ----------
    samples
        Records to draw from.
    cards
        How many there are; all get a record, in the order of their keys.
    """
    assert all(len(record) == CARD.itemsize for record in samples)
    offset = store.offset
    assert offset is not None, "the store of a worker that has committed"
    rng = np.random.default_rng(_SEED)
    again = rng.permutation(cards)[: int(REWRITTEN_SHARE * cards)]
    for numbers in (np.arange(cards), again):
        for start in range(0, len(numbers), _WRITTEN_AT_ONCE):
            state = TaskState(store)
            some = numbers[start : start + _WRITTEN_AT_ONCE].tolist()
            drawn = rng.integers(len(samples), size=len(some)).tolist()
            for number, place in zip(some, drawn, strict=True):
                state.entities["card"].put(card_key(number), samples[place])
            state.commit(offset)
