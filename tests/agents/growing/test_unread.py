"""Which inputs that came while partitions grew are sent on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agents.growing import unread
from agents.growing.places import Growth
from streams.engine.group_member import TaskTopics
from streams.engine.task import CHARGES, POSITIONS, encoded_positions, positions_in
from streams.kafka.partitioner import partitions_of
from streams.kafka.topics import Topics
from streams.state.store import MemoryStore
from streams.state.tables import META, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BEFORE, AFTER, TASK = 2, 4, 1
KEYS = [b"card_%d" % number for number in range(100)]
STAYS, GOES = (
    [key for key, to in zip(KEYS, partitions_of(KEYS, AFTER).tolist(), strict=True) if to == place]
    for place in (TASK, TASK + BEFORE)
)


class Message:
    def __init__(self, key: bytes, offset: int) -> None:
        self._key, self._offset = key, offset

    def key(self) -> bytes:
        return self._key

    def offset(self) -> int:
        return self._offset


class Written:
    """Keeps what is written, in place of the brokers."""

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.state = MemoryStore()

    def write(
        self,
        changes: Mapping[int, Mapping[bytes, bytes | None]],
        inputs: Mapping[str, Sequence[Message]],
    ) -> None:
        self.keys += [message.key() for messages in inputs.values() for message in messages]
        assert list(changes) == [TASK]
        self.state.write(changes[TASK], (), 0)


@pytest.mark.parametrize(
    ("parts", "are_sent"),
    [
        ([STAYS[:3], STAYS[3:6]], False),
        ([STAYS[:3], [*STAYS[3:6], GOES[0]]], True),
        ([[*GOES[:2], STAYS[0]], STAYS[1:3]], True),
        ([[GOES[0]]], True),
    ],
)
def test_a_partition_in_which_one_belongs_elsewhere_is_sent_on_whole(
    parts: list[list[bytes]], are_sent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter(range(7, 1000))
    messages = [[Message(key, next(numbers)) for key in part] for part in parts]

    def left(*_: object) -> Iterator[list[Message]]:
        yield from messages

    def written_since(*_: object) -> Iterator[tuple[int, str]]:
        yield TASK, CHARGES

    monkeypatch.setattr(unread, "unread", left)
    monkeypatch.setattr(unread, "_written_since", written_since)
    states = [MemoryStore() for _ in range(AFTER)]
    first, _ = encoded_positions({CHARGES: 7})
    states[TASK].write({META + POSITIONS: first}, (), 0)
    written: Any = Written()
    growth = Growth(BEFORE, AFTER)
    clients: Any = None
    sent = unread.send_on(clients, TaskTopics(Topics("")), states, growth, written)
    keys = [key for part in parts for key in part]
    assert written.keys == (keys if are_sent else [])
    assert sent == len(written.keys)
    positions = positions_in(Table(written.state, META)) or {}
    assert positions.get(CHARGES) == (7 + len(keys) if are_sent else None)
    assert (partitions_of(STAYS, AFTER) == TASK).all()
    assert np.unique(partitions_of([*STAYS, *GOES], BEFORE)).tolist() == [TASK]
