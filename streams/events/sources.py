"""Sources of events: files, whatever their layout."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from streams.events.files import read_events, read_times

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Source(Protocol):
    """Events of one kind, to be read as often as is asked for; it can be pickled."""

    notes: set[str]
    """What a reader should know of what has been read so far."""

    @property
    def path(self) -> Path:
        """The file that they are read from."""

    @property
    def name(self) -> str:
        """What it is called in messages and rejected copies."""

    def events(self) -> Iterator[bytes]:
        """Yield all events, as `streams.events.files.read_events`."""

    def first(self, rows: int) -> Iterator[bytes]:
        """Yield the events that the first rows hold."""

    def times(self) -> Iterator[float]:
        """Yield when each event was made, as `streams.events.files.read_times`."""


@dataclass(slots=True)
class PlainFile:
    """A file of events as they are.

    Attributes
    ----------
    path
        As for `streams.events.files.read_events`.
    notes
        What a reader should know.
    """

    path: Path
    notes: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The file."""
        return str(self.path)

    def events(self) -> Iterator[bytes]:
        """Yield the events."""
        return read_events(self.path, self.notes.add)

    def first(self, rows: int) -> Iterator[bytes]:
        """Yield the events of the first rows."""
        return islice(self.events(), rows)

    def times(self) -> Iterator[float]:
        """Yield when each event was made."""
        return read_times(self.path, self.notes.add)
