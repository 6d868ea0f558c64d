"""The intake: event time across partitions, nothing lost, nothing overtaken, no offset passed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest

from streams.engine.buffers import PartitionBuffer, turn
from streams.events.batch import Batch, TimedBatch
from streams.events.rejected import Rejected

if TYPE_CHECKING:
    from streams.events.rows import Rows

ROW = np.dtype([("partition", "i8"), ("offset", "i8"), ("created", "f8")])


@dataclass
class Partition:
    """A partition with all its messages, and the buffer that is filled from it."""

    number: int
    created: npt.NDArray[np.float64]
    is_bad: npt.NDArray[np.bool_]
    buffer: PartitionBuffer = field(default_factory=lambda: PartitionBuffer(0))

    @property
    def is_at_end(self) -> bool:
        return self.buffer.fetched == len(self.created)

    def fetch(self, most: int) -> None:
        """Fetch some more; the buffer is told whether the broker holds yet more."""
        start = self.buffer.fetched
        stop = min(start + most, len(self.created))
        offsets = np.arange(start, stop)
        good = offsets[~self.is_bad[start:stop]]
        rows = np.zeros(len(good), ROW)
        rows["partition"], rows["offset"], rows["created"] = self.number, good, self.created[good]
        bad = offsets[self.is_bad[start:stop]].tolist()
        self.buffer.add(
            self.created[good],
            named(rows, [b"%d" % offset for offset in good]),
            good,
            self.created[good],
            [(offset, Rejected(None, None, [], str(offset))) for offset in bad],
            stop,
        )
        self.buffer.is_behind = not self.is_at_end


def partitions(rng: np.random.Generator) -> list[Partition]:
    """Partitions of different pace: mostly in order, some events late, some no events."""
    made = []
    for number in range(int(rng.integers(1, 5))):
        count = int(rng.integers(0, 120))
        created = np.floor(np.cumsum(rng.choice([0.0, 0.0, 1.0, 7.0], count)))
        created -= rng.choice([0.0, 0.0, 0.0, 5.0, 60.0], count)
        made.append(Partition(number, created, rng.random(count) < 0.1))
    return made


def run(rng: np.random.Generator, some: list[Partition], limit: int) -> list[TimedBatch]:
    """Fetch and take at random until everything is taken; check every step."""
    batches: list[TimedBatch] = []
    rejected: dict[int, list[int]] = {partition.number: [] for partition in some}
    while not all(p.is_at_end and not len(p.buffer) for p in some):
        some[int(rng.integers(len(some)))].fetch(int(rng.integers(0, 40)))
        until = turn([partition.buffer for partition in some], limit)
        waiting = [times for partition in some for times in partition.buffer.times()]
        taken = []
        for partition in some:
            taken.extend(partition.buffer.take(until))
            for copy in partition.buffer.take_rejected():
                rejected[partition.number].append(int(copy.reason))
        if taken:
            batch = TimedBatch.merged(taken)
            assert len(batch) <= limit or ties(batch) >= len(batch) - limit
            batches.append(batch)
        elif waiting:
            assert any(p.buffer.is_behind for p in some), "nothing is waited for"
        for partition in some:
            done = [
                r["offset"]
                for b in batches
                for r in b.batch.rows
                if r["partition"] == partition.number
            ]
            done += rejected[partition.number]
            # Committed, the position passes what is done and nothing else.
            assert sorted(done) == list(range(partition.buffer.position))
    for partition in some:
        assert rejected[partition.number] == np.flatnonzero(partition.is_bad).tolist()
    return batches


def named(rows: Rows, names: list[bytes]) -> Batch:
    """Return a batch of which only the tails matter."""
    return Batch(rows, names, names, names)


def ties(batch: TimedBatch) -> int:
    return int((batch.times == batch.times[-1]).sum()) - 1


@pytest.mark.parametrize("limit", [1, 10, 1000])
@pytest.mark.parametrize("seed", range(15))
def test_partitions_are_merged_by_time(seed: int, limit: int) -> None:
    rng = np.random.default_rng(seed)
    some = partitions(rng)
    batches = run(rng, some, limit)
    rows = [row for batch in batches for row in batch.batch.rows]
    lists = [item for batch in batches for item in batch.batch.tails]
    times = [time for batch in batches for time in batch.times]

    assert times == sorted(times)
    assert [b"%d" % row["offset"] for row in rows] == lists
    for partition in some:
        own = [
            (r["offset"], t) for r, t in zip(rows, times, strict=True) if r[0] == partition.number
        ]
        good = np.flatnonzero(~partition.is_bad)
        assert [offset for offset, _ in own] == good.tolist()
        # A turn comes at the newest event time up to it: none overtakes, and a late one waits not.
        newest = [partition.created[good[: n + 1]].max() for n in range(len(good))]
        assert [time for _, time in own] == newest


def test_partition_that_is_behind_is_waited_for() -> None:
    """Nothing newer than the newest that was fetched of it is taken, and nothing before it came."""
    near = Partition(0, np.array([1.0, 2.0, 9.0]), np.zeros(3, np.bool_))
    far = Partition(1, np.array([0.5, 4.0, 5.0]), np.zeros(3, np.bool_))
    near.fetch(3)
    assert turn([near.buffer, far.buffer], 10) == -np.inf
    far.fetch(2)
    assert turn([near.buffer, far.buffer], 10) == 4.0
    far.fetch(1)
    assert turn([near.buffer, far.buffer], 10) == np.inf
    assert turn([near.buffer, far.buffer], 2) == 1.0


def test_behind_and_emptied_holds_everything_back() -> None:
    """What is next of it may be older than all that waits."""
    far = Partition(0, np.array([1.0, 2.0]), np.zeros(2, np.bool_))
    far.fetch(1)
    assert [events.times.tolist() for events in far.buffer.take(np.inf)] == [[1.0]]
    near = Partition(1, np.array([1.5]), np.zeros(1, np.bool_))
    near.fetch(1)
    assert turn([near.buffer, far.buffer], 10) == -np.inf


def test_merged_keeps_the_given_order_of_equals() -> None:
    def events(name: str, times: list[float]) -> TimedBatch:
        rows = np.array([(ord(name), n, t) for n, t in enumerate(times)], ROW)
        tails = [b"%s%d" % (name.encode(), n) for n in range(len(times))]
        return TimedBatch(np.array(times), named(rows, tails))

    merged = TimedBatch.merged(
        [events("b", [1.0, 2.0, 2.0]), events("a", [2.0, 3.0]), events("c", [])]
    )
    assert merged.batch.tails == [b"b0", b"b1", b"b2", b"a0", b"a1"]
    assert merged.batch.rows["partition"].tolist() == [ord(c) for c in "bbbaa"]
    assert merged.times.tolist() == [1.0, 2.0, 2.0, 2.0, 3.0]
    assert merged.part(1, 3).batch.tails == [b"b1", b"b2"]
