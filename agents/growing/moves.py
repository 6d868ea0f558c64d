"""The move of all that is known by a key: what has to change in each task, and what was counted.

It is a comparison of what is there with what should be. So it can be stopped anywhere and done
again, and when it finds nothing to change, all is in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
from xxhash import xxh3_64_intdigest

from agents.growing.places import COPIED, MOVED, NOWHERE, OF_CARDS, range_of
from streams.errors import OperationalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agents.growing.places import Copied, Growth, Item, Moved
    from streams.state.store import Readable

Changes = dict[int, dict[bytes, bytes | None]]
"""By task what changes there, a value of `None` where a record goes."""

AT_ONCE: Final = 5_000
"""Records that are looked at together, and change together."""

ASTRAY_SHARE_MAX: Final = 0.01
"""Cards that may be in other tasks than their keys say: a producer's mistake, and not its rule."""


class GrowError(OperationalError):
    """The partitions cannot be made more; the message says why, and what to do."""


@dataclass(slots=True)
class Count:
    """What was found in a table of all tasks.

    Attributes
    ----------
    records
        How many there are, each counted once.
    digest
        The sum of the hashes of them all, keys and values, of 64 bits.
    changed
        How many were not in their place, or not in all of them.
    astray
        How many are where nothing says that they belong, and stay there uncounted.
    """

    records: int = 0
    digest: int = 0
    changed: int = 0
    astray: int = 0

    def add(self, items: Sequence[Item]) -> None:
        """Count some records."""
        self.records += len(items)
        hashes = sum([xxh3_64_intdigest(key + value) for key, value in items])
        self.digest = (self.digest + hashes) % 2**64

    def is_like(self, other: Count) -> bool:
        """Tell whether another has counted the same records."""
        return (self.records, self.digest) == (other.records, other.digest)


class Moves:
    """One look at the states of all tasks.

    Parameters
    ----------
    stores
        Of the tasks, as many as there are to be.
    growth
        From how many tasks to how many.

    Attributes
    ----------
    counts
        By table.
    """

    def __init__(self, stores: Sequence[Readable], growth: Growth) -> None:
        self._stores = stores
        self._growth = growth
        self.counts = {table.name: Count() for table in (*MOVED, *COPIED)}

    def __iter__(self) -> Iterator[Changes]:
        """Yield what has to change, all or nothing of each; it counts on the way."""
        for table in MOVED:
            for task, items in self._items(table.prefix):
                if changes := self._move(table, task, items):
                    yield changes
        for copied in COPIED:
            for task, items in self._items(copied.prefix):
                if changes := self._copy(copied, task, items):
                    yield changes

    @property
    def changed(self) -> int:
        """How many records were not in their place."""
        return sum(count.changed for count in self.counts.values())

    def _items(self, prefix: bytes) -> Iterator[tuple[int, Sequence[Item]]]:
        for task, store in enumerate(self._stores):
            for items in _in_parts(store, prefix):
                yield task, items

    def _move(self, table: Moved, task: int, items: Sequence[Item]) -> Changes:
        before, after = table.places(items, self._stores, self._growth)
        is_elsewhere = (after != task) & (after != NOWHERE)
        moves, astray = is_elsewhere & (before == task), is_elsewhere & (before != task)
        count = self.counts[table.name]
        count.add([item for item, is_astray in zip(items, astray, strict=True) if not is_astray])
        count.astray += int(astray.sum())
        count.changed += int(moves.sum())
        changes: Changes = {}
        for place in np.flatnonzero(moves).tolist():
            key, value = items[place]
            changes.setdefault(int(after[place]), {})[key] = value
            changes.setdefault(task, {})[key] = None
        return changes

    def _copy(self, table: Copied, task: int, items: Sequence[Item]) -> Changes:
        relatives = self._growth.relatives(task)
        keys = [key for key, _ in items]
        held = [
            [value for _, value in items] if other == task else self._stores[other].get_many(keys)
            for other in relatives
        ]
        count, changes = self.counts[table.name], Changes()
        for key, *values in zip(keys, *held, strict=True):
            there = [value for value in values if value is not None]
            newest = max(there, key=table.weight)
            lacking = [
                other for other, value in zip(relatives, values, strict=True) if value != newest
            ]
            first = next(
                other for other, value in zip(relatives, values, strict=True) if value is not None
            )
            if first == task:
                count.add([(key, newest)])
                count.changed += bool(lacking)
            for other in lacking:
                changes.setdefault(other, {})[key] = newest
        return changes


def check_cards(stores: Sequence[Readable], growth: Growth) -> None:
    """Refuse states whose cards are not where their own keys put them.

    Raises
    ------
    GrowError
        When more than a few of them are elsewhere: messages are keyed by something else.
    """
    cards = astray = 0
    for task, store in enumerate(stores):
        for items in _in_parts(store, OF_CARDS.prefix):
            before, after = OF_CARDS.places(items, stores, growth)
            cards += len(items)
            astray += int(((before != task) & (after != task)).sum())
    if astray > ASTRAY_SHARE_MAX * cards:
        raise GrowError(
            f"{astray:,} of {cards:,} cards are in other partitions than their names would put "
            "them: charges are keyed by something else than `card` (a mapping or card_hash_key "
            "makes it anew, or the producer has another partitioner), so it is not known where "
            "their next ones come. Nothing was changed; make topics under another topic_prefix and "
            "publish the history there"
        )


def _in_parts(store: Readable, prefix: bytes) -> Iterator[list[Item]]:
    """Yield the records of a table in the order of their keys, some at a time."""
    items = iter(store.scan(range_of(prefix)))
    while part := list(islice(items, AT_ONCE)):
        yield part
