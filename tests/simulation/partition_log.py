"""One partition of the simulated broker: records and control markers, each at an offset."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """What became of the transaction that a record belongs to."""

    OPEN = "open"
    COMMITTED = "committed"
    ABORTED = "aborted"


@dataclass(slots=True)
class Record:
    """A record of the log."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    timestamp_ms: int
    state: State


class PartitionLog:
    """A log whose transactions end with markers, which take an offset each."""

    def __init__(self) -> None:
        self._entries: list[Record | None] = []  # None is a marker
        self._open: dict[int, list[Record]] = {}  # by producer id

    @property
    def end(self) -> int:
        """The high watermark: one replica has everything."""
        return len(self._entries)

    @property
    def stable_end(self) -> int:
        """The last stable offset: up to where every transaction has ended."""
        if not self._open:
            return len(self._entries)
        return min(records[0].offset for records in self._open.values())

    @property
    def is_stable(self) -> bool:
        """Whether no transaction is open."""
        return not self._open

    def append(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes]],
        timestamp_ms: int,
        producer_id: int | None,
    ) -> int:
        """Append a record, in the open transaction of a producer if one is given."""
        state = State.COMMITTED if producer_id is None else State.OPEN
        record = Record(self.end, key, value, headers, timestamp_ms, state)
        self._entries.append(record)
        if producer_id is not None:
            self._open.setdefault(producer_id, []).append(record)
        return record.offset

    def mark(self, producer_id: int, state: State) -> None:
        """End a producer's transaction with a marker."""
        for record in self._open.pop(producer_id, ()):
            record.state = state
        self._entries.append(None)

    def read(self, position: int, end: int, *, committed: bool) -> tuple[Record | None, int]:
        """Return the next record that a reader gets, if any, and its position afterwards."""
        while position < end:
            record = self._entries[position]
            position += 1
            if record is None or (committed and record.state is State.ABORTED):
                continue
            return record, position
        return None, position

    def committed(self, start: int = 0) -> list[Record]:
        """Return all committed records from an offset on."""
        return [
            record
            for record in self._entries[start:]
            if record is not None and record.state is State.COMMITTED
        ]
