"""Edits of lists: which entry follows the one that is there."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from agents.policy.edits import Signature, version_before
from schemas.lists import EARLIER_MAX, ListEntry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class ListsBook:
    """The entries of all lists.

    Attributes
    ----------
    entries
        By list and value.
    """

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], ListEntry] = {}

    @property
    def sizes(self) -> dict[str, int]:
        """How many entries each list has, by its name, in their order."""
        counts = Counter(name for name, _ in self.entries)
        return {name: counts[name] for name in sorted(counts)}

    def of(self, name: str) -> Iterator[ListEntry]:
        """Yield the entries of a list by their values."""
        values = sorted(value for other, value in self.entries if other == name)
        return (self.entries[name, value] for value in values)


def put_entry(
    entries: Mapping[tuple[str, str], ListEntry],
    name: str,
    value: str,
    period: tuple[float, float | None],
    signed: Signature,
    made_from: int | None = None,
) -> ListEntry:
    """Return the entry that puts a value on a list.

    A period that ended before the new one begins stays with it, so that "was it listed then?" keeps
    its answer; any other is replaced.

    Parameters
    ----------
    entries
        Those that are there.
    name, value
        Of the list, and what is put on it.
    period
        From when on and until when, Unix seconds of event time; `None` for ever.
    signed
        By whom.
    made_from
        The version that was edited; `None` for whichever is there.

    Raises
    ------
    StaleEditError
        When another version is there by now.

    Examples
    --------
    >>> signed = Signature("ann", 90.0)
    >>> first = put_entry({}, "cards", "tok_1", (10.0, 20.0), signed)
    >>> again = put_entry({("cards", "tok_1"): first}, "cards", "tok_1", (50.0, None), signed)
    >>> again.version, again.earlier
    (2, ((10.0, 20.0),))
    """
    found = entries.get((name, value))
    version = version_before(found, made_from, f"{value} on @{name}")
    start, until = period
    earlier = list(found.earlier) if found else []
    if found and found.until is not None:
        earlier.append((found.start, found.until))
    return ListEntry(
        list=name,
        value=value,
        start=start,
        until=until,
        earlier=tuple(past for past in earlier if past[1] <= start)[-EARLIER_MAX:],
        version=version + 1,
        made_from=version,
        **signed._asdict(),
    )
