"""Where a task goes on in another cluster, against brute force over partitions with gaps."""

from __future__ import annotations

import random
from typing import NamedTuple

import pytest

from agents.backup import marks
from agents.backup.files import BackupError
from streams.kafka.clients import Clients

SEED = 20261130
AT_ONCE = 7
CLIENTS = Clients({})


class Message(NamedTuple):
    """A message as far as marks look at it."""

    place: int
    name: bytes

    def offset(self) -> int:
        return self.place

    def key(self) -> bytes:
        return self.name

    def value(self) -> bytes:
        return b"value of " + self.name


class Partition:
    """What a reader finds in a partition: offsets that are missing are markers, or deleted."""

    def __init__(self, messages: list[Message], low: int, end: int) -> None:
        self._messages, self._low, self._end = messages, low, end
        self._at, self.reached = low, -1

    def __call__(self, *_: object) -> Partition:
        return self

    def watermarks(self) -> tuple[int, int]:
        return self._low, self._end

    def seek(self, offset: int) -> None:
        self._at, self.reached = offset, -1

    def read(self) -> list[Message]:
        found = [message for message in self._messages if message.place >= self._at][:AT_ONCE]
        self._at = found[-1].place + 1 if found else self._end
        self.reached = -1 if found else self._end
        return found

    def close(self) -> None:
        return


def test_it_is_behind_the_message_that_counted_last(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(SEED)
    for _ in range(300):
        monkeypatch.setattr(marks, "_AT_ONCE", rng.choice([1, 3, 10, 1000]))
        low, count, earlier = rng.randrange(5), rng.randrange(40), rng.randrange(9)
        places = sorted(rng.sample(range(low, low + 2 * count + 1), count))
        here = [Message(place, b"%d" % place) for place in places]
        position = rng.randrange(low, low + 2 * count + 2)
        there = [Message(place, b"other %d" % place) for place in range(earlier)]
        there += [Message(earlier + place, one.name) for place, one in enumerate(here)]
        read = sum(message.place < position for message in here)
        monkeypatch.setattr(marks, "PartitionReader", Partition(here, low, low + 2 * count + 2))
        mark = marks.mark_before(CLIENTS, "charges", 0, position)
        assert (mark is None) == (read == 0)
        monkeypatch.setattr(marks, "PartitionReader", Partition(there, 0, len(there)))
        found = marks.position_behind(CLIENTS, "charges", 0, mark)
        assert found == (earlier + read if read else 0)


def test_it_is_refused_where_that_message_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = "0" * 64
    monkeypatch.setattr(marks, "PartitionReader", Partition([Message(0, b"other")], 0, 1))
    with pytest.raises(BackupError, match="it is not mirrored yet"):
        marks.position_behind(CLIENTS, "charges", 0, mark)
    monkeypatch.setattr(marks, "PartitionReader", Partition([], 4, 4))
    assert marks.position_behind(CLIENTS, "charges", 0, mark) == 4, "nothing was mirrored"
