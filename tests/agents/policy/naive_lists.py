"""What is on lists, said again: every entry kept as it is, and looked through for every value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.lists import ListEntry
from tests.agents.rules.naive import stands_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.lists import Removed


class NaiveLists:
    """Entries by list and value."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], ListEntry] = {}

    def take(self, changes: Iterable[ListEntry | Removed]) -> None:
        for change in changes:
            if isinstance(change, ListEntry):
                self.entries[change.list, change.value] = change
            else:
                self.entries.pop((change.list, change.value), None)

    def names(self) -> list[str]:
        return sorted({name for name, _ in self.entries})

    def size(self, name: str) -> int:
        return sum(of == name for of, _ in self.entries)

    def contains(
        self, name: str, value: str | float, times: Iterable[float], attribute: str = ""
    ) -> list[bool]:
        """Return when a value is on a list; of an attribute, if one is named."""
        of_value = [
            entry
            for (of, _), entry in self.entries.items()
            if of == name and stands_for(entry.value, value, attribute)
        ]
        return [any(is_then(entry, time) for entry in of_value) for time in times]


def is_then(entry: ListEntry, time: float) -> bool:
    if any(start <= time < until for start, until in entry.earlier):
        return True
    return time >= entry.start and (entry.until is None or time < entry.until)
