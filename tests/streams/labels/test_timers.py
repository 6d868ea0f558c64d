"""Event-time timers, read ahead or not, against a list of all that was added."""

from __future__ import annotations

import numpy as np
import pytest

from streams.labels.timers import Timers
from streams.state.store import MemoryStore
from streams.state.tables import TaskState


@pytest.mark.parametrize("seed", range(20))
def test_each_is_taken_once_at_its_time_whatever_was_read_ahead(seed: int) -> None:
    rng = np.random.default_rng(seed)
    state = TaskState(MemoryStore())
    timers = Timers(state.timers)
    waiting: list[tuple[float, bytes]] = []
    kept: list[tuple[float, bytes]] = []  # as of the commit
    now = committed_at = 1000.0
    for turn in range(400):
        for number in range(int(rng.integers(0, 4))):
            # Most are due long after what is read ahead ends; late ones before it.
            at = now + float(rng.choice([0.0, 0.1, 0.5, 1.0, 3.0, 40.0]))
            key = b"%d.%d" % (turn, number)
            timers.add(at, key, b"kept " + key)
            waiting.append((at, b"kept " + key))
        before, now = now, now + float(rng.choice([0.0, 0.05, 0.3, 1.0, 7.0]))
        expected = sorted(item for item in waiting if item[0] < now)
        assert sorted(timers.take(before, now)) == expected
        waiting = [item for item in waiting if item[0] >= now]
        if rng.random() < 0.2:
            state.commit(turn)
            kept, committed_at = list(waiting), now
        elif rng.random() < 0.1:
            state.discard()
            timers.reload()
            waiting, now = list(kept), committed_at


def test_they_come_in_the_order_of_their_times() -> None:
    timers = Timers(TaskState(MemoryStore()).timers)
    for at in (5.0, 3.0, 4.25, 3.5):
        timers.add(at, b"", str(at).encode())
    assert list(timers.take(0.0, 4.0)) == [(3.0, b"3.0"), (3.5, b"3.5")]
    timers.add(4.1, b"", b"late")
    assert list(timers.take(4.0, 9.0)) == [(4.1, b"late"), (4.25, b"4.25"), (5.0, b"5.0")]


def test_a_timer_at_the_end_itself_waits() -> None:
    timers = Timers(TaskState(MemoryStore()).timers)
    timers.add(7.0, b"", b"key")
    assert list(timers.take(6.0, 7.0)) == []
    assert list(timers.take(7.0, 7.5)) == [(7.0, b"key")]
